"""Foreground by other settings than those of a run: does it find the object where that of the run does not?"""
