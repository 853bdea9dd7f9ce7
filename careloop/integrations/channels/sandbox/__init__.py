"""The sandbox phone: a channel that delivers to a page of the demo, as LINE, SMS or e-mail."""
