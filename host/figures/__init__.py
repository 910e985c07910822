"""What the box costs: memory, time, flash, network; measured on the real interpreter."""
