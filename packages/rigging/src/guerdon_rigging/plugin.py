"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_commands(register: Register) -> None:
    """`guerdon rig`."""
    register("rig", "guerdon_rigging.commands:command", summary="give a mesh bones and a skin; score and draw rigs")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """The systems' central claims, and what they stand on."""
    geometry = "guerdon_rigging.geometry_claim:RiggingGeometry"
    register("rigging_geometry", geometry, summary="rigs are read rightly, and heat weights beat the closest bone")
    tokenrig = "guerdon_rigging.tokenrig_claim:TokenRigClaim"
    register("tokenrig", tokenrig, summary="rewards without labels reach new shapes")
    skintokens = "guerdon_rigging.skintokens_claim:SkinTokensClaim"
    register("skintokens", skintokens, summary="Dice mends sparse skins, few tokens carry a bone, codes are tokens")


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """What rigs earn by their geometry."""
    rewards = "guerdon_rigging.rewards"
    register("rigging/tokenrig-v1", f"{rewards}:TokenRig", summary="coverage, containment, sparsity and smoothness")
    register("rigging/joint-coverage-v1", f"{rewards}:JointCoverage", summary="every voxel has a joint near, in [0, 1]")
    register("rigging/bone-containment-v1", f"{rewards}:BoneContainment", summary="bones are inside, in [0, 1]")
    register("rigging/skin-sparsity-v1", f"{rewards}:SkinSparsity", summary="vertices bound to one to four bones")
    smooth = f"{rewards}:DeformationSmoothness"
    register("rigging/deformation-smoothness-v1", smooth, summary="poses stretch no edge, in [0, 1]")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Meshes to rig."""
    tasks = "guerdon_rigging.rig_tasks"
    register("rigging/made-v1", f"{tasks}:Made", summary="creatures and props made from a seed, with exact rigs")
    register("rigging/folder-v1", f"{tasks}:Folder", summary="rigged .glb and .gltf files of a folder")


@hookimpl
def guerdon_policies(register: Register) -> None:
    """What writes rigs."""
    policy = "guerdon_rigging.rig_policy:RigPolicy.of_shape"
    register("rigging/transformer-v1", policy, summary="a transformer that writes rigs behind a mesh's latents")


@hookimpl
def guerdon_recipes(register: Register) -> None:
    """The runs that `guerdon train rigging` and `guerdon train rigging-skeletons` start."""
    recipes = "guerdon_rigging.recipes"
    register("rigging", f"{recipes}:rigging", summary="skeletons and skins for made creatures")
    register("rigging-skeletons", f"{recipes}:rigging_skeletons", summary="skeletons alone, minutes on a CPU core")


@hookimpl
def guerdon_attacks(register: Register) -> None:
    """What rewards of rigs can be audited with, beside core's."""
    attacks = "guerdon_rigging.rig_attacks"
    register("rigging/one-bone", f"{attacks}:OneBone", summary="one joint that moves everything")
    register("rigging/scattered-joints", f"{attacks}:ScatteredJoints", summary="joints anywhere inside")
    register("rigging/star", f"{attacks}:Star", summary="joints anywhere inside, all hung on one, with a skin")
    spread = "joints spread inside, their shortest tree, a skin by distance"
    register("rigging/spread-tree", f"{attacks}:SpreadTree", summary=spread)
    register("rigging/repeated-joints", f"{attacks}:RepeatedJoints", summary="one joint over and over")
    register("rigging/spread-weights", f"{attacks}:SpreadWeights", summary="all vertices follow all bones")
    register("rigging/other-rig", f"{attacks}:OtherRig", summary="the rig of another mesh")
    register("rigging/swapped-skins", f"{attacks}:SwappedSkins", summary="each bone with another's skin")
    register("rigging/broken-off", f"{attacks}:BrokenOff", summary="tokens that end early")
    register("rigging/token-soup", f"{attacks}:TokenSoup", summary="ids that are no rig, or no ids")
