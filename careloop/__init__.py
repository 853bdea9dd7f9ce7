"""CareLoop 常伴: patient relationship management for clinics and hospitals."""

__version__ = "0.1.0"
