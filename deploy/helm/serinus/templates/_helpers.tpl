{{- define "serinus.policyVersion" -}}
{{- $group := "admissionregistration.k8s.io" -}}
{{- if $.Capabilities.APIVersions.Has (printf "%s/v1/MutatingAdmissionPolicy" $group) -}}
v1
{{- else if $.Capabilities.APIVersions.Has (printf "%s/v1beta1/MutatingAdmissionPolicy" $group) -}}
v1beta1
{{- else if eq $.Values.hold "policy" -}}
v1
{{- end -}}
{{- end -}}

{{- define "serinus.holdsByPolicy" -}}
{{- if and (ne $.Values.hold "field") (include "serinus.policyVersion" $) -}}true{{- end -}}
{{- end -}}
