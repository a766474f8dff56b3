//go:build smoke

package smoke

// probeImage is built and imported by the test itself.
const probeImage = "sallyport.local/smoke-probe:dev"

// objects is a namespace with a server, its Service, and an aggregated API.
const objects = `
apiVersion: v1
kind: Namespace
metadata: {name: smoke}
---
apiVersion: v1
kind: Pod
metadata: {name: server, namespace: smoke, labels: {app: server}}
spec:
  containers:
  - {name: probe, image: "` + probeImage + `", imagePullPolicy: Never, args: [serve]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: smoke, labels: {app: client}}
spec:
  containers:
  - {name: probe, image: "` + probeImage + `", imagePullPolicy: Never, args: [race, "10.96.0.1:443"]}
---
apiVersion: v1
kind: Service
metadata: {name: server, namespace: smoke}
spec:
  clusterIP: 10.96.77.77
  selector: {app: server}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: https, port: 443, targetPort: 8443}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.probe.sallyport.local}
spec:
  group: probe.sallyport.local
  version: v1
  groupPriorityMinimum: 1000
  versionPriority: 10
  insecureSkipTLSVerify: true
  service: {name: server, namespace: smoke}
`

const denyEgress = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: smoke}
spec: {podSelector: {matchLabels: {app: client}}, policyTypes: [Egress]}
`

// allowAPIServer allows the API server by the address it really has: policies see
// packets after a Service's address has been replaced.
const allowAPIServer = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow, namespace: smoke}
spec:
  podSelector: {matchLabels: {app: client}}
  policyTypes: [Egress]
  egress: [{to: [{ipBlock: {cidr: 10.90.0.1/32}}], ports: [{port: 6443}]}]
`

const denyIngress = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny-ingress, namespace: smoke}
spec: {podSelector: {matchLabels: {app: server}}, policyTypes: [Ingress]}
`

// lateClient tries from its first moment on to be faster than its policy.
const lateClient = `
apiVersion: v1
kind: Pod
metadata: {name: late, namespace: smoke, labels: {app: client}}
spec:
  containers:
  - {name: probe, image: "` + probeImage + `", imagePullPolicy: Never, args: [race, "10.96.0.1:443"]}
`

// writer is as restricted as Pod Security knows, and writes to a sub-path of the volume.
const writer = `
apiVersion: v1
kind: Namespace
metadata: {name: restricted, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: recordings, namespace: restricted}
spec: {accessModes: [ReadWriteOnce], volumeName: sallyport-recordings, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: writer, namespace: restricted}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  volumes: [{name: recordings, persistentVolumeClaim: {claimName: recordings}}]
  containers:
  - name: probe
    image: "` + probeImage + `"
    imagePullPolicy: Never
    args: [write, /recordings/file]
    volumeMounts: [{name: recordings, mountPath: /recordings, subPath: namespace/request}]
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`

// privileged must be refused where Pod Security says restricted.
const privileged = `
apiVersion: v1
kind: Pod
metadata: {name: privileged, namespace: restricted}
spec: {containers: [{name: probe, image: "` + probeImage + `", securityContext: {privileged: true}}]}
`
