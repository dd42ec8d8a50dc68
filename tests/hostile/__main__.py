"""``python -m tests.hostile`` writes tests/golden/hostile.md anew."""

from tests.hostile.page import main

main()
