"""The commands: their options, their help texts, and what they do. Commands of one kind share a
module."""
