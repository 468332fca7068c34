"""The read side: questions, charts, pages, downloads and the weekly sheets."""
