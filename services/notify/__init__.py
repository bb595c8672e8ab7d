"""Notify: each cause is told once to each recipient, through the channels that they chose; or it is known to be untold."""
