"""Benchmarks that anyone can run again: every figure beside a floor measured in the same run."""
