"""What a researcher asks of several runs: spread, difference, needs."""
