"""The EndpointSlice controller, after k8s.io/endpointslice 0.36.3.

`endpoints` says what one Pod contributes to a Service, `packing` fits endpoints into slices with
few writes, `reconcile` reads and writes. Topology hints are not computed.
"""
