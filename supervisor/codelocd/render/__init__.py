"""Documents of the contract as text for people. Pure, and quick to import."""
