"""The patients' screens: list, page, forms, consent, notices. Here, because they read facts, which lie above patients."""
