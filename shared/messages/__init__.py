"""The contracts: every command and event of the mesh as a model, and the words they share.

Domain code imports from here and from the standard library, from nothing else.
"""
