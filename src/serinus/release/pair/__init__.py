"""A hand-made pair: two Deployments behind one Service, the classic canary.

There is no record and no step; each verb says where to go, and `decide_pair` what to do next.
It may be called again after any crash: what was done shows in the cluster.
"""
