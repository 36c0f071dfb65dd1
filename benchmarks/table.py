"""The Markdown tables of benchmarks/run.py."""

import statistics

import export_net

PEERS = {"loop": "NumPy loop, theta moved in place",
         "course": "NumPy loop, theta copied",
         "torch": "torch.autograd.gradcheck",
         "jax": "JAX, jit of vmap"}


def number(seconds):
    """Three significant digits, without an exponent."""
    text = f"{seconds:#.3g}"
    if "e" in text:
        text = f"{seconds:.0f}"
    return text.rstrip(".")


def spread(values):
    """The median, and the smallest and largest of several."""
    text = number(statistics.median(values))
    if len(values) > 1:
        text += f" ({number(min(values))}–{number(max(values))})"
    return text


def seconds_of(row):
    """The evaluation time; e where a subset was extrapolated."""
    return spread(row["seconds"]) + (" e" if row["extrapolated"] else "")


def method(row, devices):
    """What was timed, as (name, evaluator, precision)."""
    if row["kind"] == "peer":
        return PEERS[row["peer"]], "", "f64"
    device = devices[row["device"]]
    name = "CPU" if row["device"] == "cpu" else device["platform"]
    several = [d for d in devices.values()
               if d["platform"] == device["platform"]]
    if len(several) > 1 and row["device"] != "cpu":
        name += f" {row['device']}"
    return f"gpucheck, {name}", row["evaluator"], row["precision"]


def lines_of(header, rows):
    """A Markdown table: the first column left, the others right."""
    yield "| " + " | ".join(header) + " |"
    yield "|---|" + "---:|" * (len(header) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def summary(rows, devices):
    """Medians, one column a network."""
    networks = list(dict.fromkeys(row["network"] for row in rows))
    cells = {}
    for row in rows:
        text = number(statistics.median(row["seconds"]))
        if row["extrapolated"]:
            text += " e"
        name = " ".join(filter(None, method(row, devices)))
        cells.setdefault(name, {})[row["network"]] = text
    body = [[name] + [found.get(n, "–") for n in networks]
            for name, found in cells.items()]
    return lines_of(["seconds to check every parameter"] + networks, body)


def details(rows, devices):
    """Every row of one network."""
    body = []
    for row in rows:
        name, evaluator, precision = method(row, devices)
        peer = row["kind"] == "peer"
        distance = row["relativeDifference"]
        if peer:
            name += f" ({row['threads']} thread"
            name += ")" if row["threads"] == 1 else "s)"
        body.append([
            name, evaluator or "–", precision, seconds_of(row),
            str(len(row["seconds"])),
            "–" if peer else number(row["cold"]),
            number(statistics.median(row["warm"]))
            if row.get("warm") else "–",
            f"{row['peakMiB']:.0f}", f"{row['checked']:,}",
            "–" if distance is None else f"{distance:.1e}",
            row.get("verdict", "–")])
    return lines_of(
        ["", "evaluator", "precision", "evaluation s, median (range)",
         "runs", "process s, cold", "process s, warm", "peak MiB",
         "timed", "distance", "verdict"], body)


def describe(results):
    """The machine, one line a fact."""
    facts = results["machine"]
    yield (f"{facts['cpu']}, {facts['cores']} cores, "
           f"{facts['memoryGiB']} GiB; {facts['system']}; "
           f"gpucheck {facts['gpucheck']}, {facts['date']}.")
    for device in facts["devices"]:
        if device["platform"] is not None:
            yield (f"OpenCL device {device['index']}: {device['name']}, "
                   f"{device['platform']}, {device['version']}, driver "
                   f"{device['driver']}, {device['computeUnits']} compute "
                   f"units, {'' if device['double'] else 'no '}double.")
    packages = sorted({(row["package"], row["python"])
                       for row in results["rows"] if row["kind"] == "peer"})
    if packages:
        yield ("Peers: " + ", ".join(package for package, _ in packages)
               + f"; Python {packages[0][1]}.")


def markdown(results):
    """All of it."""
    devices = {d["index"]: d for d in results["machine"]["devices"]}
    rows, limits = results["rows"], results["limits"]
    lines = []
    for fact in describe(results):
        lines += [fact, ""]
    lines += summary(rows, devices)
    lines += [
        "",
        "e: extrapolated from a subset, in proportion. gpucheck is timed "
        f"whole where that takes up to {limits['wholeSeconds']} s, otherwise "
        "on an eighth; the peers are timed on what they do in about "
        f"{limits['peerSeconds']} s. The column `timed` says on how many "
        "components."]
    for network in dict.fromkeys(row["network"] for row in rows):
        mine = [row for row in rows if row["network"] == network]
        sizes, activation = export_net.NETWORKS[network]
        shape = "-".join(map(str, sizes))
        lines += ["", f"### {network}: {shape} {activation}, batch 32, "
                  f"{mine[0]['parameters']:,} parameters", ""]
        lines += details(mine, devices)
    return "\n".join(lines) + "\n"
