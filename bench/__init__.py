"""Benchmarks: ratios side by side in one run, by `make bench`. Nothing here is a test, and no test is timed."""
