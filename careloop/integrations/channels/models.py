"""Models of the channels, gathered for Django."""

from .sandbox.models import SandboxDelivery

__all__ = ["SandboxDelivery"]
