"""Points: the ledger, what an account holds, families that share, what runs out."""
