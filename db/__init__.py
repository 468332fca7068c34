"""The contract between the write side (`etl`) and the read side (`dashboard`), and the only place that knows SQL."""
