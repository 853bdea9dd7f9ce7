"""LINE's official OpenAPI description as a strict checker of our requests.

The description says with discriminators which message object is which, and JSON Schema ignores those; so
each is rewritten as "if type is X then it must be X", and properties that the description does not know are
refused: a misspelt one would be dropped silently by the real LINE.

Needs the development tools (`pyyaml`, `jsonschema-rs`); the description itself is not part of this
repository.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PREFIX = "#/components/schemas/"
_Node = dict[str, Any]


class Description:
    """One OpenAPI file; `check("POST", path, body)` returns what is wrong with a request."""

    def __init__(self, path: str | Path) -> None:
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._document: _Node = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
        self._schemas: _Node = self._document["components"]["schemas"]
        self._definitions = self._rewrite()
        self._checkers: dict[str, Callable[[Any], list[str]]] = {}
        self._operations = [
            (method.upper(), re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + r"\Z"), operation)
            for path, item in self._document["paths"].items()
            for method, operation in item.items()
            if isinstance(operation, dict)
        ]

    def operation(self, method: str, path: str) -> _Node | None:
        """Return the described operation, or None: the real LINE would answer 404."""
        for known, pattern, operation in self._operations:
            if known == method and pattern.match(path):
                return operation
        return None

    def takes_retry_key(self, operation: _Node) -> bool:
        return any(item.get("name") == "X-Line-Retry-Key" for item in operation.get("parameters", []))

    def check(self, operation: _Node, body: Any) -> list[str]:
        """Return one line per breach of the request's schema; empty when the request is right."""
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return [] if body is None else ["no body is expected"]
        return self.check_schema(content["schema"]["$ref"].removeprefix(_PREFIX), body)

    def check_schema(self, name: str, value: Any) -> list[str]:
        if name not in self._checkers:
            self._checkers[name] = self._checker(name)
        return self._checkers[name](value)

    def _checker(self, name: str) -> Callable[[Any], list[str]]:
        import jsonschema_rs

        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": f"#/$defs/{self._strict(name)}",
            "$defs": self._definitions,
        }
        validator = jsonschema_rs.validator_for(schema, validate_formats=True)

        def check(value: Any) -> list[str]:
            if validator.is_valid(value):
                return []
            return [
                f"{'/'.join(str(step) for step in error.instance_path)}: {error.message}"
                for error in validator.iter_errors(value)
            ]

        return check

    # Rewriting

    def _strict(self, name: str) -> str:
        return f"{name}.any" if "discriminator" in self._schemas[name] else f"{name}.strict"

    def _rewrite(self) -> _Node:
        found: _Node = {}
        for name, schema in self._schemas.items():
            found[name] = self._plain(schema)
            found[f"{name}.strict"] = {"$ref": f"#/$defs/{name}"}
            if "properties" in schema or "allOf" in schema:
                found[f"{name}.strict"]["unevaluatedProperties"] = False
            if mapping := schema.get("discriminator", {}).get("mapping"):
                found[f"{name}.any"] = self._by_discriminator(name, schema["discriminator"]["propertyName"], mapping)
        return found

    def _by_discriminator(self, name: str, field: str, mapping: dict[str, str]) -> _Node:
        return {
            "$ref": f"#/$defs/{name}",
            "required": [field],
            "properties": {field: {"enum": list(mapping)}},
            "allOf": [
                {
                    "if": {"properties": {field: {"const": value}}, "required": [field]},
                    "then": {"$ref": f"#/$defs/{target.removeprefix(_PREFIX)}"},
                }
                for value, target in mapping.items()
            ],
            "unevaluatedProperties": False,
        }

    def _plain(self, node: Any, *, parent: bool = False) -> Any:
        """Copy a schema into JSON Schema words. References to a parent in `allOf` stay open, all others are
        strict.
        """
        if isinstance(node, list):
            return [self._plain(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            name = node["$ref"].removeprefix(_PREFIX)
            return {"$ref": f"#/$defs/{name if parent else self._strict(name)}"}
        copy: _Node = {}
        for key, value in node.items():
            if key in ("discriminator", "externalDocs", "example", "xml", "nullable", "description"):
                continue
            if key == "allOf":
                copy[key] = [self._plain(item, parent=True) for item in value]
            elif key == "properties":
                copy[key] = {name: self._plain(item) for name, item in value.items()}
            elif key in ("default", "enum", "required"):
                copy[key] = value
            else:
                copy[key] = self._plain(value)
        if node.get("nullable") and isinstance(copy.get("type"), str):
            copy["type"] = [copy["type"], "null"]
        return copy
