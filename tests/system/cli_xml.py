"""cli_xml.py GLUSTER.xml OURS.xml: what reads `gluster --xml` must read ours: the same elements in the same places, found by the same XPath
expressions, with the same values where the fixture tells of the same thing. Exit status 1 and a line for each difference."""
import sys
import xml.etree.ElementTree as ET

theirs, ours = (ET.parse(p).getroot() for p in sys.argv[1:])
wrong = []

# What scripts, monitors and Ansible's modules ask for.
VOLUME = "volInfo/volumes/volume"
NODE = "volStatus/volumes/volume/node"
XPATHS = """opRet opErrno opErrstr cliOp output volInfo/volumes/count volList/count volList/volume
volCreate/volume/name volCreate/volume/id volStart/volume/name volStart/volume/id volStop/volume/name volStop/volume/id
volDelete/volume/name volDelete/volume/id volGetopts/count volGetopts/Opt/Option volGetopts/Opt/Value
volStatus/volumes/volume/volName volStatus/volumes/volume/nodeCount volStatus/volumes/volume/tasks
peerStatus peerStatus/peer/uuid peerStatus/peer/hostname peerStatus/peer/hostnames/hostname peerStatus/peer/connected
peerStatus/peer/state peerStatus/peer/stateStr peerStatus/peer[hostname='127.1.1.2']/connected""".split()
XPATHS += [f"{VOLUME}/{e}" for e in """name id status statusStr snapshotCount brickCount distCount replicaCount arbiterCount disperseCount
redundancyCount type typeStr transport bricks/brick bricks/brick[@uuid] bricks/brick/name bricks/brick/hostUuid bricks/brick/isArbiter
optCount options/option/name options/option/value""".split()]
XPATHS += [f"{VOLUME}[name='demo']/{e}" for e in ("statusStr", "replicaCount", "bricks/brick/name", "options/option[name='nfs.disable']/value")]
XPATHS += [f"{NODE}/{e}" for e in """hostname path peerid status port ports/tcp ports/rdma pid sizeTotal sizeFree device blockSize mntOptions
fsName inodeSize inodesTotal inodesFree clientsStatus/clientCount clientsStatus/client/hostname clientsStatus/client/bytesRead
clientsStatus/client/bytesWrite clientsStatus/client/opVersion""".split()]
XPATHS += [f"{NODE}[path='/b/1']/status", f"{NODE}[path='/b/2']/status"]

# Differences that are meant: GlusterFS's helpers are not ours (an NFS server stands where the self-heal daemon does), its nodeCount of clients
# counts those, it gives the file system's name for the size of an inode, and errors carry its own numbers and words.
DIFFERENT = {"opErrno", "opErrstr", "output", "volStatus/volumes/volume/nodeCount", f"{NODE}/hostname", f"{NODE}/port", f"{NODE}/ports/tcp",
             f"{NODE}/path", f"{NODE}/inodeSize", f"{NODE}/clientsStatus/client/opVersion"}
OWN = {f"{NODE}/known", f"{NODE}/reason", f"{NODE}/clientsStatus/client/name"}


def texts(root, xpath):
    return [(e.text or "").strip() for e in root.findall(xpath)]


def places(element, path=""):
    """Where elements stand, in order of their first appearance."""
    seen = {}
    for child in element:
        here = f"{path}/{child.tag}".lstrip("/")
        seen.setdefault(here)
        for below in places(child, here):
            seen.setdefault(below)
    return list(seen)


for xpath in XPATHS:
    a, b = texts(theirs, xpath), texts(ours, xpath)
    if len(a) != len(b):
        wrong.append(f"{xpath}: {len(a)} elements in GlusterFS's, {len(b)} in ours")
    elif a != b and xpath not in DIFFERENT:
        wrong.append(f"{xpath}: {a} in GlusterFS's, {b} in ours")
if theirs.tag != ours.tag:
    wrong.append(f"the root is {ours.tag}")
for place in places(theirs):
    if place not in places(ours):
        wrong.append(f"{place} is missing in ours")
mine = [p for p in places(ours) if p not in OWN]
if mine != places(theirs):
    wrong.append(f"the order is {mine}, not {places(theirs)}")
print("\n".join(f"{sys.argv[2]}: {w}" for w in wrong), end="\n" if wrong else "")
sys.exit(1 if wrong else 0)
