"""The Markdown tables of benchmarks/run.py."""

import statistics

import goals

PEERS = {"loop": "NumPy loop, theta moved in place",
         "course": "NumPy loop, theta copied",
         "torch": "torch.autograd.gradcheck",
         "jax": "JAX, jit of vmap"}
NONE = "–"


def number(value):
    """Three significant digits, without an exponent."""
    text = f"{value:#.3g}"
    if "e-" in text:
        text = f"{value:.6f}"
    elif "e" in text:
        text = f"{value:,.0f}"
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


def share(row):
    """The floor's share of the time."""
    if row.get("floorSeconds") is None:
        return NONE
    return f"{row['floorSeconds'] / statistics.median(row['seconds']):.1%}"


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


def against_goals(rows, devices):
    """Each network against its floor, the best peer and its goal."""
    body = []
    for outcome in goals.outcomes(rows):
        ours, peer = outcome.ours, outcome.peer
        device, _, precision = method(ours, devices)
        body.append([
            f"{outcome.network} {precision}",
            device.removeprefix("gpucheck, "), seconds_of(ours),
            number(ours["floorSeconds"]), share(ours),
            NONE if peer is None else PEERS[peer["peer"]],
            NONE if peer is None else seconds_of(peer),
            NONE if outcome.ratio is None else number(outcome.ratio),
            f"{ours['relativeDifference']:.1e}",
            ", ".join(text for text, _ in outcome.parts) or NONE,
            outcome.met])
    return lines_of(
        ["", "device", "gpucheck s", "floor s", "floor / gpucheck",
         "best peer", "its s", "times as fast", "distance", "goal", "met"],
        body)


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
    body = [[name] + [found.get(n, NONE) for n in networks]
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
        floor = row.get("floorSeconds")
        body.append([
            name, evaluator or NONE, precision, seconds_of(row),
            str(len(row["seconds"])),
            NONE if floor is None else number(floor), share(row),
            NONE if peer else number(row["cold"]),
            number(statistics.median(row["warm"]))
            if row.get("warm") else NONE,
            f"{row['peakMiB']:.0f}", f"{row['checked']:,}",
            NONE if distance is None else f"{distance:.1e}",
            row.get("verdict", NONE)])
    return lines_of(
        ["", "evaluator", "precision", "evaluation s, median (range)",
         "runs", "floor s", "floor / evaluation", "process s, cold",
         "process s, warm", "peak MiB", "timed", "distance", "verdict"], body)


def describe(results):
    """The machine and its rates, one line a fact."""
    facts, rates = results["machine"], results["rates"]
    yield (f"{facts['cpu']}, {facts['cores']} cores, "
           f"{facts['memoryGiB']} GiB; {facts['system']}; "
           f"gpucheck {facts['gpucheck']}, {facts['date']}; "
           f"load {facts['load'][0]:.1f} before; "
           f"{results['minutes']:.0f} minutes in all.")
    for device in facts["devices"]:
        if device["platform"] is not None:
            yield (f"OpenCL device {device['index']}: {device['name']}, "
                   f"{device['platform']}, {device['version']}, driver "
                   f"{device['driver']}, {device['computeUnits']} compute "
                   f"units, {'' if device['double'] else 'no '}double.")
    yield (f"Rates: {rates['f64'] / 1e9:.0f} GFLOP/s in float64 and "
           f"{rates['f32'] / 1e9:.0f} in float32 (matrix product of 2048), "
           f"{rates['bytes'] / 1e9:.1f} GB/s (triad).")
    packages = sorted({(row["package"], row["python"])
                       for row in results["rows"] if row["kind"] == "peer"})
    if packages:
        yield ("Peers: " + ", ".join(package for package, _ in packages)
               + f"; Python {packages[0][1]}.")


def notes(limits):
    """How to read the tables."""
    seconds = limits["seconds"]
    return (
        "e: extrapolated from a subset, exact differences in proportion to "
        "their work, everything else to lanes. gpucheck is timed whole where "
        f"that takes up to {seconds['difference']} s ({seconds['direct']} s "
        "with `direct`; a third without OpenCL), otherwise on a sample; the "
        f"peers are timed on what they do in about {limits['peerSeconds']} s. "
        "The column `timed` says on how many components. The floor is what "
        "the method needs over this machine's rates; a GPU's is not measured "
        "here.")


def markdown(results):
    """All of it."""
    devices = {d["index"]: d for d in results["machine"]["devices"]}
    rows = results["rows"]
    lines = []
    for fact in describe(results):
        lines += [fact, ""]
    lines += ["## Goals", "", *against_goals(rows, devices), "",
              "## Summary", "", *summary(rows, devices), "",
              notes(results["limits"]), "", "## In full"]
    for name, network in results["networks"].items():
        mine = [row for row in rows if row["network"] == name]
        if not mine:
            continue
        lines += ["", f"### {name}: {network['title']}, "
                  f"{network['parameters']:,} parameters, "
                  f"{network['flops'] / 1e9:,.3g} GFLOP", ""]
        lines += details(mine, devices)
    return "\n".join(lines) + "\n"
