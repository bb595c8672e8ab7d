"""Imported before anything else by the processes of the mesh, which keep what they load for as long as they run.

Looking for cycles in it while it is being loaded was a fifth of a start's processor time; ``run_process`` looks for them again.
"""

import gc

gc.disable()
