"""The terminal view of codelocd: a program that follows one daemon, drawn with Textual."""
