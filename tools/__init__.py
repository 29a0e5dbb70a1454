"""What makes the data that Credenza ships. Nothing here is in the package."""
