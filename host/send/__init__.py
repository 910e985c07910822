"""`wallbox send`: what the operator orders of a box, signed, sent, and its answer."""
