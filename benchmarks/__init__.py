"""What Penstock costs, each figure beside its limit; `python -m benchmarks` writes RESULTS.md."""
