"""What we claim to be, measured. One subject a folder; `benchmarks.results` says what it writes."""
