"""The read side: questions, charts, pages, downloads and the weekly sheets."""

__version__ = "0.1.0"
