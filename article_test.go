package ringfence_test

// The policies of the published guide, rebuilt with their mistakes: the checks of
// mistakes_test.go must find each of them here. They stand in Go since the top has no testdata.

const articlePolicies = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: cloudify-manager
spec:
  podSelector:
    matchLabels:
      app: cloudify-manager
  policyTypes: [Ingress, Egress]
  ingress:
  - ports:
    - protocol: TCP
      port: 80
    - protocol: TCP
      port: 443
  egress:
  - to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except:
        - 10.0.0.0/8
        - 172.16.0.0/20
        - 192.168.0.0/16
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: dns
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - ports:
    - protocol: UDP
      port: 53
    - protocol: TCP
      port: 53
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: postgres
spec:
  podSelector:
    matchLabels:
      app: postgres
  ingress:
  - from:
    - podSelector:
        matchLabels:
          app: cloudify-manager
    ports:
    - protocol: TCP
      port: 5432
`

// articleDuplicateKey has the key "port" twice in one list item.
const articleDuplicateKey = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: rabbitmq
spec:
  podSelector:
    matchLabels:
      app: rabbitmq
  ingress:
  - from:
    - podSelector:
        matchLabels:
          app: cloudify-manager
    ports:
    - protocol: TCP
      port: 5671
      port: 15672
`
