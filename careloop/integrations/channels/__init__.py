"""Ways of reaching a patient: one folder per channel, each fulfilling `careloop.messaging.ports.Channel`."""
