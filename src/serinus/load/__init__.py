"""Load client that counts every request exactly once.

Start with `plan.LoadPlan`, hand it to `run.run` and read the `report.Report` that comes back.
"""
