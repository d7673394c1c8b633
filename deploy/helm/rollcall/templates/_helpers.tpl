{{- define "rollcall.name" -}}
{{- if contains "rollcall" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-rollcall" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Labels of a component: (list $ "edge") */}}
{{- define "rollcall.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: rollcall
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "rollcall.labels" -}}
{{- $root := index . 0 -}}
{{ include "rollcall.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: rollcall
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{- define "rollcall.image" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.image.registry }}{{ . }}/{{ end }}{{ $root.Values.image.repository }}/{{ index . 1 }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{- define "rollcall.secretName" -}}
{{ .Values.secrets.existing | default (include "rollcall.name" .) }}
{{- end }}

{{- define "rollcall.peer" -}}
podSelector:
  matchLabels:
    {{- include "rollcall.selector" . | nindent 4 }}
{{- end }}

{{/* Variables that every service gets. POD_IP must come before what refers to it. */}}
{{- define "rollcall.commonEnv" -}}
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- name: ROLLCALL_HTTP_HOST
  value: $(POD_IP)
- name: ROLLCALL_HTTP_PORT
  value: {{ .Values.opsPort | quote }}
- name: ROLLCALL_SECRET
  valueFrom: { secretKeyRef: { name: {{ include "rollcall.secretName" . }}, key: secret } }
- name: ROLLCALL_REDIS_URL
  valueFrom: { secretKeyRef: { name: {{ include "rollcall.secretName" . }}, key: redis-url } }
{{- with .Values.redis.sentinels }}
- name: ROLLCALL_REDIS_SENTINELS
  value: {{ . | quote }}
{{- end }}
{{- with .Values.redis.cluster }}
- name: ROLLCALL_REDIS_CLUSTER
  value: {{ . | quote }}
{{- end }}
- name: ROLLCALL_DURABILITY
  value: {{ .Values.redis.durability | quote }}
{{- end }}

{{/* What the site adds: (list $ $component); a name of the component wins over the same name for all. */}}
{{- define "rollcall.extraEnv" -}}
{{- $root := index . 0 -}}
{{- range $name, $value := merge (dict) (index . 1).env $root.Values.env }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{/* What the pods of all services have in common: (list $ "registrar" $component) */}}
{{- define "rollcall.podSpec" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $part := index . 2 -}}
serviceAccountName: {{ include "rollcall.name" $root }}
automountServiceAccountToken: false
# Variables for each Service of the namespace are no settings of ours.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ add $part.preStopSeconds $part.drainSeconds 20 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  seccompProfile: { type: RuntimeDefault }
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $part.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if ne (default "" $part.kind) "DaemonSet" }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: {{ $root.Values.topologySpread.zone }}
    labelSelector:
      matchLabels:
        {{- include "rollcall.selector" (list $root $name) | nindent 8 }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: {{ $root.Values.topologySpread.node }}
    labelSelector:
      matchLabels:
        {{- include "rollcall.selector" (list $root $name) | nindent 8 }}
{{- end }}
{{- end }}

{{/* What the containers of all services have in common: (list $ "registrar" $component) */}}
{{- define "rollcall.container" -}}
{{- $root := index . 0 -}}
{{- $part := index . 2 -}}
image: {{ include "rollcall.image" . }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
lifecycle:
  preStop:
    sleep: { seconds: {{ $part.preStopSeconds }} }
startupProbe:
  httpGet: { path: /healthz, port: ops }
  periodSeconds: 1
  failureThreshold: 60
# Not a word about Redis: a pod is not killed because the store is away.
livenessProbe:
  httpGet: { path: /healthz, port: ops }
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
readinessProbe:
  httpGet: { path: /readyz, port: ops }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
resources:
  {{- toYaml $part.resources | nindent 2 }}
{{- end }}

{{/* (list $ "registrar" $component) */}}
{{- define "rollcall.podMeta" -}}
{{- $root := index . 0 -}}
{{- $part := index . 2 -}}
labels:
  {{- include "rollcall.labels" . | nindent 2 }}
annotations:
  # Pods are replaced when the chart's own Secret changes.
  checksum/secrets: {{ toJson $root.Values.secrets | cat (toJson $root.Values.redis) | sha256sum }}
  {{- with $part.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* (list $ "registrar" "Deployment" $component "metric" value) */}}
{{- define "rollcall.hpa" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $auto := (index . 3).autoscaling -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "rollcall.name" $root }}-{{ $name }}
  labels:
    {{- include "rollcall.labels" (list $root $name) | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: {{ index . 2 }}
    name: {{ include "rollcall.name" $root }}-{{ $name }}
  minReplicas: {{ $auto.minReplicas }}
  maxReplicas: {{ $auto.maxReplicas }}
  metrics:
    - type: Pods
      pods:
        metric: { name: {{ index . 4 }} }
        target: { type: AverageValue, averageValue: {{ index . 5 | quote }} }
    # While the metrics adapter is away, and where it is not installed, the processor decides alone.
    - type: Resource
      resource:
        name: cpu
        target: { type: Utilization, averageUtilization: {{ $auto.cpuPercent }} }
  behavior:
    scaleUp:
      policies: [{ type: Percent, value: 100, periodSeconds: 60 }]
    # A pod that goes moves its devices to others: slowly, one at a time.
    scaleDown:
      stabilizationWindowSeconds: 900
      policies: [{ type: Pods, value: 1, periodSeconds: 300 }]
{{- end }}

{{/* Pods with hostNetwork are outside the reach of these policies: they come from their nodes' addresses. */}}
{{- define "rollcall.fromEdges" }}
- {{ include "rollcall.peer" (list . "edge") | nindent 2 | trim }}
{{- range .Values.networkPolicy.nodeCidrs }}
- ipBlock: { cidr: {{ . }} }
{{- end }}
{{- end }}

{{- define "rollcall.opsRule" }}
# Health and metrics.
- ports: [{ port: ops, protocol: TCP }]
  from:
    - {{ include "rollcall.peer" (list . "test") | nindent 6 | trim }}
    # Admin asks the edges for what they have traced.
    - {{ include "rollcall.peer" (list . "admin") | nindent 6 | trim }}
    {{- with .Values.networkPolicy.metricsFrom }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
