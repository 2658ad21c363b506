# Holds the manifests of tools/kubernetes against the schemas of Kubernetes, and against what pp needs of each other in them.
#
#   kubernetes_test.py FOLDER README      exit code 77: skipped, and says for want of what
#
# The schemas are those of Kubernetes' OpenAPI document, as its Python client has them: every field must be known, of its type, and
# what is required must be there.
import re
import sys

try:
    import yaml
    from kubernetes import client
except ImportError as missing:
    print(f"skipped: {missing} (./setup.sh --all installs python3-kubernetes and python3-yaml)")
    sys.exit(77)

complaints = []


def complain(where, what):
    complaints.append(f"{where}: {what}")


SCALARS = {"str": str, "int": int, "bool": bool, "float": (int, float), "datetime": str}


def check(value, type_name, where):
    """Holds a value against a type as the client writes it: "str", "list[V1Container]", "dict(str, str)", "V1PodSpec"."""
    if type_name == "object":  # IntOrString, quantities and the like
        if isinstance(value, (dict, list)):
            complain(where, "a plain value is expected")
        return
    if type_name in SCALARS:
        if not isinstance(value, SCALARS[type_name]) or (type_name != "bool" and isinstance(value, bool)):
            complain(where, f"{type_name} is expected, and {value!r} is not")
        return
    inner = re.fullmatch(r"list\[(.*)\]", type_name)
    if inner:
        if not isinstance(value, list):
            return complain(where, "a list is expected")
        for index, element in enumerate(value):
            check(element, inner[1], f"{where}[{index}]")
        return
    inner = re.fullmatch(r"dict\(str, (.*)\)", type_name)
    if inner:
        if not isinstance(value, dict):
            return complain(where, "names and values are expected")
        for key, element in value.items():
            check(element, inner[1], f"{where}.{key}")
        return
    model = getattr(client, type_name)
    if not isinstance(value, dict):
        return complain(where, f"the fields of {type_name} are expected")
    by_name = {json_name: attribute for attribute, json_name in model.attribute_map.items()}
    given = {}
    for key, element in value.items():
        if key not in by_name:
            complain(f"{where}.{key}", f"{type_name} has no such field")
            continue
        given[by_name[key]] = element
        check(element, model.openapi_types[by_name[key]], f"{where}.{key}")
    try:
        model(**given)  # refuses what is required and missing, and values outside of an enumeration
    except ValueError as refusal:
        complain(where, refusal)


KINDS = {
    ("v1", "Service"): "V1Service",
    ("apps/v1", "StatefulSet"): "V1StatefulSet",
    ("batch/v1", "Job"): "V1Job",
    ("networking.k8s.io/v1", "NetworkPolicy"): "V1NetworkPolicy",
}


def load(folder):
    objects = {}
    for name in ("workers.yaml", "driver.yaml"):
        with open(f"{folder}/{name}", encoding="utf-8") as file:
            for number, each in enumerate(yaml.safe_load_all(file)):
                where = f"{name}[{number}]"
                kind = KINDS.get((each.get("apiVersion"), each.get("kind")))
                if kind is None:
                    complain(where, f"{each.get('apiVersion')} {each.get('kind')} is not known to this test")
                    continue
                check(each, kind, f"{where} {each['kind']}")
                objects[each["kind"]] = each
    return objects


def pod_of(each):
    template = each["spec"]["template"]
    return template["metadata"]["labels"], template["spec"]


def environment_of(pod):
    return {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}


def matches(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


def check_together(objects, variables):
    service, workers, driver, policy = (objects[kind] for kind in ("Service", "StatefulSet", "Job", "NetworkPolicy"))
    if service["spec"].get("clusterIP") != "None":
        complain("Service", "it must be headless (clusterIP: None): PP_DNS wants the addresses of the pods")
    if workers["spec"]["serviceName"] != service["metadata"]["name"]:
        complain("StatefulSet", "serviceName is not the service's name")
    ports = {each["port"] for each in service["spec"]["ports"]}
    allowed = {each["port"] for rule in policy["spec"]["ingress"] for each in rule["ports"]}
    for kind, each in (("StatefulSet", workers), ("Job", driver)):
        labels, pod = pod_of(each)
        environment = environment_of(pod)
        for name in environment:
            if name not in variables:
                complain(kind, f"the README knows no {name}")
        if not matches(service["spec"]["selector"], labels):
            complain(kind, "its pods are not behind the service's name")
        if not matches(policy["spec"]["podSelector"]["matchLabels"], labels):
            complain(kind, "its pods are not in the network policy")
        host, port = environment["PP_DNS"].rsplit(":", 1)
        if host != service["metadata"]["name"]:
            complain(kind, "PP_DNS is not the service's name")
        if environment["PP_LISTEN"] != ":" + port:
            complain(kind, "PP_LISTEN is not the port that PP_DNS dials")
        needed = {int(port), int(port) + 1}  # control, fabric
        listed = {each["containerPort"] for each in pod["containers"][0]["ports"]}
        for name, there in (("service", ports), ("network policy", allowed), ("container", listed)):
            if not needed <= there:
                complain(kind, f"the {name} lacks port {sorted(needed - there)}")
        http = int(environment["PP_HTTP"].rsplit(":", 1)[1])
        ports_by_name = {each["name"]: each["containerPort"] for each in pod["containers"][0]["ports"]}
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = pod["containers"][0].get(name)
            if probe is None:
                continue
            if ports_by_name.get(probe["httpGet"]["port"]) != http:
                complain(kind, f"{name} asks another port than PP_HTTP's")
            if probe["httpGet"]["path"] not in ("/healthz", "/readyz") or environment.get("PP_HTTP_TOKEN") != "off":
                complain(kind, f"{name} is not let in: without a token there are /healthz and /readyz, by PP_HTTP_TOKEN=off")
        security = pod["securityContext"]
        secret = pod["volumes"][0]["secret"]
        if not security.get("runAsNonRoot") or security.get("fsGroup") != security.get("runAsGroup"):
            complain(kind, "the key is readable for a group of the user only: runAsNonRoot, and fsGroup is runAsGroup")
        if secret.get("defaultMode") not in (0o400, 0o440):
            complain(kind, f"the key's defaultMode is {secret.get('defaultMode'):o}, expected 400 or 440 (octal)")
        mount = pod["containers"][0]["volumeMounts"][0]["mountPath"]
        if not environment["PP_KEY_FILE"].startswith(mount + "/"):
            complain(kind, "PP_KEY_FILE is not in the mounted secret")
    labels, pod = pod_of(workers)
    environment = environment_of(pod)
    if not matches(workers["spec"]["selector"]["matchLabels"], labels):
        complain("StatefulSet", "its selector does not find its own pods")
    if matches(workers["spec"]["selector"]["matchLabels"], pod_of(driver)[0]):
        complain("StatefulSet", "its selector takes the driver's pod, too")
    if environment["PP_ROLE"] != "worker":
        complain("StatefulSet", "its pods are no workers")
    grace = pod["terminationGracePeriodSeconds"]
    if grace * 1000 < int(environment["PP_DRAIN"]) + 5000:
        complain("StatefulSet", f"{grace} s of grace are too short for PP_DRAIN={environment['PP_DRAIN']} and the way out")


def main():
    folder, readme = sys.argv[1:3]
    with open(readme, encoding="utf-8") as file:
        variables = set(re.findall(r"^\| `(PP_[A-Z_]+)`", file.read(), re.MULTILINE))
    objects = load(folder)
    if not complaints:
        check_together(objects, variables)
    for each in complaints:
        print(each)
    print(f"{len(objects)} objects, {len(complaints)} complaints")
    return 1 if complaints else 0


sys.exit(main())
