"""The one path of every service: records → decode → decide → one transaction → publish → offsets.

Read ``transaction.py`` first: it is the order in which everything happens.
"""
