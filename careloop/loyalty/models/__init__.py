"""What membership keeps, a file for each part of it."""

from careloop.loyalty.models.programme import Account as Account
from careloop.loyalty.models.programme import Programme as Programme
