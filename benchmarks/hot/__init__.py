"""The hot paths beside what others ship: time, memory and whether results agree."""
