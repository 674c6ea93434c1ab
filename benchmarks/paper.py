"""Papers: a statement of three pages to PDF/A-3, beside the same compiler setting three pages of plain words.

The limit is the bare compiler: what a page costs when nothing of ours is on it.
"""
