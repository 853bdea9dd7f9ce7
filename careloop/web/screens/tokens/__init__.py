"""API tokens: which programs may read and write, made and ended by people with `api.tokens`."""
