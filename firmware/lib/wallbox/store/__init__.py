"""Two rings of records in raw flash: the ledger (billing facts) and the trace (inputs)."""


class StoreError(OSError):
    """The flash failed: one line with ring, position and what to do."""


class LedgerFull(StoreError):
    """No room that may be overwritten: the operator has not acknowledged enough."""
