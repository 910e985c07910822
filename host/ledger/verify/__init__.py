"""`wallbox ledger verify`: proves a ledger, whatever it lies in."""
