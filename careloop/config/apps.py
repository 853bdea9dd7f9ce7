from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "careloop.config"
    label = "config"

    def ready(self) -> None:
        """Let every slice register its facts, readers, slots and adapters, once, in a fixed order."""
        from careloop.config import wiring

        wiring.connect()
