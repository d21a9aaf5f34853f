"""Materials, textures, normals and colours on their way from one file through a rig into another."""

from __future__ import annotations

import base64
import io
import json
import struct

import numpy as np
import pytest
from PIL import Image

from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.filed_meshes import filed_mesh
from guerdon_rigging.gltf_skins import read_stored
from guerdon_rigging.gltf_writing import glb
from guerdon_rigging.looks import Look, Piece
from guerdon_rigging.rigs import Rig, Skeleton

ONE = Skeleton(np.zeros((1, 3)), np.array([-1]))
UP = [[0, 0, 1]] * 4
CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]]
WOOD = {
    "name": "wood",
    "pbrMetallicRoughness": {"baseColorTexture": {"index": 0, "texCoord": 0}, "roughnessFactor": 0.3},
    "extensions": {"KHR_materials_emissive_strength": {"emissiveStrength": 2.5}},
}


def png(colour=(200, 30, 10)):
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def painted(made_square):
    """The skinned square with a wooden texture, whose picture is within the file."""
    made = made_square(
        NORMAL=lambda made: made.add(UP, "VEC3"),
        TEXCOORD_0=lambda made: made.add(CORNERS, "VEC2"),
        COLOR_0=lambda made: made.add([[255, 0, 51, 255]] * 4, "VEC4", "uint8", normalized=True),
    )
    made.document |= {
        "materials": [{"name": "unused"}, json.loads(json.dumps(WOOD))],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"wrapS": 33071, "wrapT": 33071}],
        "images": [{"bufferView": made.view(png()), "mimeType": "image/png", "name": "planks"}],
        "extensionsUsed": ["KHR_materials_emissive_strength", "KHR_lights_punctual"],
    }
    made.document["meshes"][0]["primitives"][0]["material"] = 1
    return made


def carried(path, folder):
    """What `guerdon rig` writes for a file, bound to one joint: where it is, and its document."""
    held = filed_mesh(path)
    out = folder / "carried.glb"
    held.write(Rig(held.mesh, ONE, np.ones((len(held.mesh.vertices), 1))), out)
    data = out.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    return out, json.loads(data[20 : 20 + length])


def pictures(path):
    return [picture.data for picture in read_stored(path, looks=True).materials.pictures]


def test_materials_textures_and_pictures_are_carried_over(tmp_path, painted):
    out, document = carried(painted.save(tmp_path / "a.glb"), tmp_path)
    assert document["materials"] == [{"name": "unused"}, WOOD]
    assert document["textures"] == [{"source": 0, "sampler": 0}]
    assert document["samplers"] == [{"wrapS": 33071, "wrapT": 33071}]
    assert document["images"][0].items() >= {"name": "planks", "mimeType": "image/png"}.items()
    assert document["meshes"][0]["primitives"][0]["material"] == 1
    assert pictures(out) == [png()]


def test_extensions_in_use_are_named_and_others_are_not(tmp_path, painted):
    painted.document["extensionsRequired"] = ["KHR_materials_emissive_strength"]
    _, document = carried(painted.save(tmp_path / "a.glb"), tmp_path)
    assert document["extensionsUsed"] == document["extensionsRequired"] == ["KHR_materials_emissive_strength"]


def test_what_vertices_say_is_carried_over(tmp_path, painted):
    out, _ = carried(painted.save(tmp_path / "a.glb"), tmp_path)
    (part,) = read_stored(out, looks=True).parts
    assert part.looks["TEXCOORD_0"].tolist() == CORNERS
    assert part.looks["NORMAL"].tolist() == UP
    np.testing.assert_allclose(part.looks["COLOR_0"], [[1, 0, 0.2, 1]] * 4)  # 51 / 255


def test_looks_are_read_where_they_are_asked_for_alone(tmp_path, painted):
    stored = read_stored(painted.save(tmp_path / "a.glb"))
    assert (stored.materials, stored.parts[0].looks) == (None, {})


@pytest.mark.parametrize(
    ("scale", "normal", "expected"),
    [
        # The inverse's transpose of diag(2, 1, 1) takes (1, 1, 0) to (1/2, 1, 0).
        ([2, 1, 1], [0.5**0.5, 0.5**0.5, 0], [0.2**0.5, 0.8**0.5, 0]),
        ([-1, 1, 1], [1, 0, 0], [-1, 0, 0]),
        ([1, 1, 0], [0, 0, 1], [0, 0, 1]),  # no inverse; what was flattened still faces along z
    ],
)
def test_normals_follow_the_inverses_transpose(tmp_path, made_square, scale, normal, expected):
    made = made_square(NORMAL=lambda made: made.add([normal] * 4, "VEC3"))
    made.document["nodes"][2] |= {"scale": scale}
    del made.document["nodes"][2]["skin"]
    (part,) = read_stored(made.save(tmp_path / "a.glb"), looks=True).parts
    np.testing.assert_allclose(part.looks["NORMAL"], [expected] * 4, atol=1e-6)


def test_normals_follow_the_joints_of_a_skin(tmp_path, made_square):
    """The head turned by 90 degrees about z: what faced x faces y, at the upper edge alone."""
    made = made_square(NORMAL=lambda made: made.add([[1, 0, 0]] * 4, "VEC3"))
    made.document["nodes"][1]["rotation"] = [0, 0, 0.5**0.5, 0.5**0.5]
    (part,) = read_stored(made.save(tmp_path / "a.glb"), looks=True).parts
    np.testing.assert_allclose(part.looks["NORMAL"], [[1, 0, 0]] * 2 + [[0, 1, 0]] * 2, atol=1e-6)


def test_a_tangent_changes_its_side_where_the_mesh_is_mirrored(tmp_path, made_square):
    made = made_square(
        NORMAL=lambda made: made.add(UP, "VEC3"),
        TANGENT=lambda made: made.add([[1, 0, 0, 1]] * 4, "VEC4"),
    )
    made.document["nodes"][2] |= {"scale": [-2, 1, 1]}
    del made.document["nodes"][2]["skin"]
    (part,) = read_stored(made.save(tmp_path / "a.glb"), looks=True).parts
    assert part.looks["TANGENT"].tolist() == [[-1, 0, 0, -1]] * 4


def test_normals_that_are_none_become_some(tmp_path, made_square):
    made = made_square(NORMAL=lambda made: made.add([[np.nan] * 3, [0, 0, 0], [np.inf, 0, 0], [0, 3, 0]], "VEC3"))
    (part,) = read_stored(made.save(tmp_path / "a.glb"), looks=True).parts
    assert part.looks["NORMAL"].tolist() == [[0, 0, 1]] * 3 + [[0, 1, 0]]


def test_pieces_keep_their_mesh_and_their_material(tmp_path, painted):
    """A second node shows the mesh too; a third has one of its own, of another material."""
    document = painted.document
    first = document["meshes"][0]["primitives"][0]
    document["meshes"].append({"name": "hat", "primitives": [{**first, "material": 0}, first]})
    document["nodes"] += [{"mesh": 0, "skin": 0}, {"mesh": 1, "skin": 0}]
    document["scenes"][0]["nodes"] += [3, 4]
    _, written = carried(painted.save(tmp_path / "a.glb"), tmp_path)
    found = [(mesh["name"], [one["material"] for one in mesh["primitives"]]) for mesh in written["meshes"]]
    assert found == [("cloth", [1]), ("cloth", [1]), ("hat", [0, 1])]
    assert [node["mesh"] for node in written["nodes"] if "mesh" in node] == [0, 1, 2]


def test_what_is_left_of_a_mesh_keeps_its_own_texture_coordinates(tmp_path, made_gltf):
    """Vertex 1 is in no triangle; the second piece has no triangle with an area and is not written."""
    made = made_gltf
    points = [[0, 0, 0], [5, 5, 5], [1, 0, 0], [0, 1, 0]]
    flat = made.add([[7, 7, 7]] * 3, "VEC3")
    surface = {
        "attributes": {
            "POSITION": made.add(points, "VEC3"),
            "TEXCOORD_0": made.add([[0, 0], [9, 9], [1, 0], [0, 1]], "VEC2"),
        },
        "indices": made.add([0, 2, 3], "SCALAR", "uint16"),
    }
    made.document |= {
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [surface, {"attributes": {"POSITION": flat}}]}],
    }
    out, document = carried(made.save(tmp_path / "a.glb"), tmp_path)
    assert len(document["meshes"][0]["primitives"]) == 1
    (part,) = read_stored(out, looks=True).parts
    assert part.looks["TEXCOORD_0"].tolist() == [[0, 0], [1, 0], [0, 1]]
    assert part.rest.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_a_surface_without_normals_stays_one_of_facets_and_its_tangents_go(tmp_path, made_square):
    made = made_square(TANGENT=lambda made: made.add([[1, 0, 0, 1]] * 4, "VEC4"))
    out, _ = carried(made.save(tmp_path / "a.glb"), tmp_path)
    assert read_stored(out, looks=True).parts[0].looks == {}


def test_whose_a_document_is_stays_said(tmp_path, painted):
    painted.document["asset"]["copyright"] = "CC-BY 4.0, somebody"
    _, document = carried(painted.save(tmp_path / "a.glb"), tmp_path)
    assert document["asset"]["copyright"] == "CC-BY 4.0, somebody"


def test_a_mesh_far_from_the_origin_keeps_its_shape(tmp_path, made_square):
    """At 1e9 single precision has steps of 64."""
    made = made_square()
    made.document["nodes"][2] |= {"translation": [1e9, 0, 0]}
    del made.document["nodes"][2]["skin"]
    out, _ = carried(made.save(tmp_path / "a.glb"), tmp_path)
    (part,) = read_stored(out).skinned
    np.testing.assert_allclose(part.rest - [1e9, 0, 0], [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], atol=1e-6)


def test_a_mesh_beyond_single_precision_is_refused(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("v 0 0 0\nv 1e39 0 0\nv 0 1e39 0\nf 1 2 3\n")
    with pytest.raises(RigFileError):
        carried(path, tmp_path)


@pytest.mark.parametrize("uri", ["gone.png", "https://example.com/a.png", "../secret.png", "/etc/hostname"])
def test_a_picture_that_is_not_beside_the_file_stays_named_and_is_told_of(tmp_path, painted, uri):
    (tmp_path / "secret.png").write_bytes(png())
    folder = tmp_path / "below"
    folder.mkdir()
    painted.document["images"] = [{"uri": uri}]
    path = painted.save(folder / "a.glb")
    told = filed_mesh(path).mended[0]
    assert told.startswith(f"images[0], {uri!r}, is named and not carried over: ")
    _, document = carried(path, tmp_path)
    assert document["images"] == [{"uri": uri}]


def test_a_file_that_is_no_picture_is_not_carried_over(tmp_path, painted):
    """A model's folder is often one of downloads: what lies there is not to end up in what is handed on."""
    (tmp_path / "secret.txt").write_bytes(b"hunter2")
    painted.document["images"] = [{"uri": "secret.txt", "mimeType": "image/png"}]
    out, _ = carried(painted.save(tmp_path / "a.glb"), tmp_path)
    assert b"hunter2" not in out.read_bytes()
    assert "is no picture that glTF knows" in filed_mesh(tmp_path / "a.glb").mended[0]


def test_pictures_that_an_extension_knows_are_carried_over(tmp_path, painted):
    webp = b"RIFF\x04\x00\x00\x00WEBP"
    painted.document["images"] = [{"uri": "data:;base64," + base64.b64encode(webp).decode()}, {"uri": "data:image/x,y"}]
    _, document = carried(painted.save(tmp_path / "a.glb"), tmp_path)
    assert [one["mimeType"] for one in document["images"]] == ["image/webp", "image/x"]


def test_what_each_instance_takes_is_counted(tmp_path, painted, monkeypatch):
    """Once: 4 x 3 positions, 2 x 16 matrices, 4 x 8 of joints, 6 corners, 4 x (3 + 2 + 4) of looks: 118; each of 20
    instances 36 more."""
    painted.document["nodes"] += [{"mesh": 0, "skin": 0}] * 19
    painted.document["scenes"][0]["nodes"] += list(range(3, 22))
    path = painted.save(tmp_path / "a.glb")
    monkeypatch.setattr("guerdon_rigging.gltf_files.MOST_NUMBERS", 118 + 20 * 36)
    assert len(read_stored(path, looks=True).parts) == 20
    monkeypatch.setattr("guerdon_rigging.gltf_files.MOST_NUMBERS", 117 + 20 * 36)
    with pytest.raises(RigFileError, match=r"838 numbers; at most 837 are read"):
        read_stored(path, looks=True)


@pytest.mark.parametrize("inside", [True, False])
def test_pictures_of_a_uri_are_put_into_the_file(tmp_path, painted, inside):
    blue = png((0, 0, 255))
    (tmp_path / "a b.png").write_bytes(blue)
    data = "data:image/png;base64," + base64.b64encode(blue).decode()
    painted.document["images"] = [{"uri": data if inside else "a%20b.png"}]
    out, document = carried(painted.save(tmp_path / "a.glb"), tmp_path)
    assert document["images"][0].keys() == {"mimeType", "bufferView"}
    assert pictures(out) == [blue]


def test_what_is_not_carried_over_is_told(tmp_path, made_square):
    made = made_square(_MOOD=lambda made: made.add([0, 1, 2, 3], "SCALAR"))
    made.document["meshes"][0]["primitives"][0]["extensions"] = {"KHR_materials_variants": {"mappings": []}}
    made.document |= {"extensions": {"KHR_lights_punctual": {"lights": []}}, "animations": [{}, {}]}
    assert filed_mesh(made.save(tmp_path / "a.glb")).mended == (
        "cloth has the attribute _MOOD, which is not read",
        "cloth has KHR_materials_variants, which is not read",
        "2 animations are not carried over",
        "KHR_lights_punctual of the document is not carried over",
        "its own skin, of 2 joints, is left behind",
    )


def test_texture_coordinates_that_are_not_finite_are_told_of(tmp_path, made_square):
    made = made_square(TEXCOORD_0=lambda made: made.add([[np.nan, 0.5]] * 4, "VEC2"))
    held = filed_mesh(made.save(tmp_path / "a.glb"))
    assert held.mended[0] == "cloth has values of TEXCOORD_0 that are not finite, which are taken as 0"
    assert held.look.pieces[0].attributes["TEXCOORD_0"].tolist() == [[0, 0.5]] * 4


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: d["meshes"][0]["primitives"][0].update(material=2), ("primitives[0].material", "is 2")),
        (lambda d: d["images"][0].update(bufferView=99), ("images[0].bufferView", "is 99")),
        (lambda d: d["images"].append({"uri": "data:,hello"}), ("images[1]", "b'hello'", "PNG, JPEG")),
        (lambda d: d["images"][0].update(mimeType=3), ("images[0].mimeType", "is 3")),
        (lambda d: d["textures"][0].update(source=9), ("textures[0].source", "is 9")),
        (lambda d: d["textures"][0].update(sampler=-1), ("textures[0].sampler", "is -1")),
        (
            lambda d: d["materials"][1]["pbrMetallicRoughness"]["baseColorTexture"].update(index=7),
            ("materials[1].pbrMetallicRoughness.baseColorTexture.index", "is 7"),
        ),
        (lambda d: d.update(materials=3), ("materials", "an array")),
        (lambda d: d["materials"].append(3), ("materials[2]", "an object")),
        (lambda d: d["materials"][0].update(extras=float("inf")), ("JSON", "Infinity")),
        (lambda d: d["accessors"][5].update(type="VEC3"), ("TEXCOORD_0", "'VEC3'", "VEC2 is accepted")),
    ],
)
def test_a_broken_look_names_the_file_and_the_place(tmp_path, painted, spoil, words):
    spoil(painted.document)
    with pytest.raises(RigFileError) as caught:
        filed_mesh(painted.save(tmp_path / "a.glb"))
    message = str(caught.value)
    assert all(word in message for word in ("a.glb", *words)), message


def test_a_look_of_another_mesh_is_refused(tmp_path, made_square):
    held = filed_mesh(made_square().save(tmp_path / "a.glb"))
    rig, look = held.restored(Rig(held.mesh, ONE, np.ones((4, 1))))
    assert look is not None
    with pytest.raises(ValueError, match="5 vertices and 2 triangles is of another mesh"):
        glb(rig, look=Look((Piece(5, 2),)))
    with pytest.raises(ValueError, match="'cloth' of a look has triangles of another's vertices"):
        glb(rig, look=Look((Piece(2, 1, "cloth"), Piece(2, 1))))


def test_the_colours_of_a_ply_become_linear(tmp_path):
    """sRGB 188 is 0.5 of the light to within half a step of 8 bits: 0.5029."""
    rows = ["0 0 0 255 0 188", "1 0 0 255 0 188", "0 1 0 255 0 188"]
    colours = "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
    places = "".join(f"property float {name}\n" for name in "xyz")
    head = f"ply\nformat ascii 1.0\nelement vertex 3\n{places}{colours}element face 1\n"
    text = head + "property list uchar int vertex_indices\nend_header\n" + "\n".join(rows) + "\n3 0 1 2\n"
    path = tmp_path / "a.ply"
    path.write_text(text)
    out, _ = carried(path, tmp_path)
    (part,) = read_stored(out, looks=True).parts
    np.testing.assert_allclose(part.looks["COLOR_0"], [[1, 0, 0.5029, 1]] * 3, atol=1e-4)


MTL = """newmtl red
Kd 1 0 0
d 0.25
Ns 6
newmtl wood
map_Kd -s 1 1 1 -clamp on pictures\\wood.png
Ke 0 0.5 0
Pr 0.1
Pm 1
"""
OBJ = """mtllib a.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 0.75
vn 0 0 2
usemtl red
f 1 2 3
usemtl wood
f 1/1/1 2/2/1 3/3/1
f 1/2/1 3/3/1 4/1/1
"""


@pytest.fixture
def wooden(tmp_path):
    """An .obj of two materials, one of them with a picture in a folder below."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "wood.png").write_bytes(png())
    (tmp_path / "a.mtl").write_text(MTL)
    (tmp_path / "a.obj").write_text(OBJ)
    return tmp_path / "a.obj"


def test_the_materials_of_an_obj_are_carried_over(tmp_path, wooden):
    """A gloss of 6 is a roughness of sqrt(2 / 8); no Kd is a grey of 0.8; glTF counts v downwards."""
    out, document = carried(wooden, tmp_path)
    assert filed_mesh(wooden).mended == ()
    red, wood = sorted(document["materials"], key=lambda one: one["name"])
    assert red == {
        "name": "red",
        "doubleSided": True,
        "alphaMode": "BLEND",
        "pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 0.25], "metallicFactor": 0, "roughnessFactor": 0.5},
    }
    assert wood == {
        "name": "wood",
        "doubleSided": True,
        "emissiveFactor": [0, 0.5, 0],
        "pbrMetallicRoughness": {
            "baseColorFactor": [0.8, 0.8, 0.8, 1],
            "metallicFactor": 1,
            "roughnessFactor": 0.1,
            "baseColorTexture": {"index": 0},
        },
    }
    assert pictures(out) == [png()]
    (mesh,) = document["meshes"]
    found = {document["materials"][one["material"]]["name"]: one for one in mesh["primitives"]}
    assert found.keys() == {"red", "wood"}
    assert "TEXCOORD_0" not in found["red"]["attributes"]
    part = next(part for part in read_stored(out, looks=True).parts if "TEXCOORD_0" in part.looks)
    corners = {(*place, *uv) for place, uv in zip(part.rest.tolist(), part.looks["TEXCOORD_0"].tolist(), strict=True)}
    assert corners == {
        (0, 0, 0, 0, 1), (1, 0, 0, 1, 1), (1, 1, 0, 1, 0.25), (0, 0, 0, 1, 1), (0, 1, 0, 0, 1),
    }  # fmt: skip
    assert part.looks["NORMAL"].tolist() == [[0, 0, 1]] * 5


def test_the_only_material_of_an_obj_keeps_its_name(tmp_path):
    """Kd may be one number, for red, green and blue alike; a second file beside the first has the rest."""
    (tmp_path / "a.txt").write_text("newmtl skin\nKd 0.1\n")
    (tmp_path / "b.mtl").write_text("newmtl fur\nKd 0.5\n")
    path = tmp_path / "a.obj"
    path.write_text("mtllib a.txt b.mtl\nusemtl fur\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    _, document = carried(path, tmp_path)
    (fur,) = document["materials"]
    assert (fur["name"], fur["pbrMetallicRoughness"]["baseColorFactor"]) == ("fur", [0.5, 0.5, 0.5, 1])
    assert filed_mesh(path).mended == ()


def test_a_picture_under_two_materials_is_carried_once_and_what_moves_it_is_told(tmp_path, wooden):
    red = "newmtl red\nmap_Kd pictures/wood.png\nmap_d a.png\nbump b.png\n"
    (tmp_path / "a.mtl").write_text(red + "newmtl wood\nmap_Kd -o 0.5 0 0 pictures/wood.png\n")
    _, document = carried(wooden, tmp_path)
    assert [one["name"] for one in document["images"]] == ["wood.png"]
    assert filed_mesh(wooden).mended == (
        "of the material 'red' map_d, bump cannot be carried over",
        "the texture 'pictures/wood.png' is moved or scaled, which is not carried over",
    )


@pytest.mark.parametrize(
    "text",
    [
        "v\t0\t0\t0\nv\t1\t0\t0\nv\t0\t1\t0\nvt\t0\t0.25\nf\t1/1\t2/1\t3/1\n",
        "  v 0 0 0\n  v 1 0 0\n  v 0 1 0\n  vt 0 0.25\n  f 1/1 2/1 3/1\n",
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0.25\nf 1/1 \\\n2/1\\\n3/1\n",
        "v 0 0 0 # here\nv 1 0 0\nv 0 1 0\nvt 0 0.25\nf 1/1 2/1 3/1 # three\n",
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0.25\nf -3/-1 -2/-1 -1/1\nv 5 5 5\n",
    ],
)
def test_every_way_of_writing_an_obj_is_read_with_its_look(tmp_path, text):
    path = tmp_path / "a.obj"
    path.write_text(text)
    out, _ = carried(path, tmp_path)
    (part,) = read_stored(out, looks=True).parts
    assert part.rest.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert part.looks["TEXCOORD_0"].tolist() == [[0, 0.75]] * 3


def test_what_an_obj_has_beside_triangles_is_told(tmp_path):
    path = tmp_path / "a.obj"
    lines = [
        "v 0 0 0",
        "v 1 0 0",
        "v 0 1 0",
        "v 9 9 9",
        "vt 0 0",
        "l 1 2",
        "f 1 2",
        "f 2 3",
        "f 1/1 2/1 3/7",
        "curv 0 1 1 2",
        "x",
    ]
    path.write_text("\n".join(lines))
    assert set(filed_mesh(path).mended) == {
        "1 line in it is not read",
        "2 faces of fewer than three corners in it are not read",
        "1 curve in it is not read",
        "1 line beginning with 'x' in it is not read",
        "1 corner whose texture coordinates are not there in it is not read",
        "some corners of the material '' have no texture coordinates; 0, 0 is taken",
        "1 vertex of no triangle was left out",
    }


def test_many_blank_lines_are_read_at_once(tmp_path):
    """100,000 of them; with time by their square it would be hours."""
    path = tmp_path / "a.obj"
    path.write_text("\n" * 100_000 + OBJ)
    assert len(filed_mesh(path).mesh.faces) == 3


@pytest.mark.parametrize("spoilt", ["v 1 2\n", "f 1 2 9\n", "f 0 1 2\n", "f 1/1/1/1 2 3\n", "f -9 1 2\n", "vt\n"])
def test_broken_lines_of_an_obj_are_refused(tmp_path, spoilt):
    path = tmp_path / "a.obj"
    path.write_text(OBJ + spoilt)
    with pytest.raises(RigFileError, match=r"a\.obj.*(line 15|vertex 9 of 4)"):
        filed_mesh(path)


def test_a_picture_that_would_fill_the_memory_is_told_of(tmp_path, wooden):
    """10,000 x 10,000 pixels in a few kilobytes, of a kind that has to be decoded; and a picture that is none."""
    Image.new("1", (10_000, 10_000)).save(tmp_path / "pictures" / "wood.png", "TIFF", compression="group4")
    assert "or too large, and is not carried over" in filed_mesh(wooden).mended[0]
    (tmp_path / "a.mtl").write_text("image x.png\nnewmtl wood\nimage x.png\nmap_Kd a.mtl\nnewmtl red\n")
    assert filed_mesh(wooden).mended[0].startswith("'a.mtl', which it names, is none of PNG")


def test_a_picture_of_another_kind_becomes_a_png(tmp_path, wooden):
    Image.new("RGB", (2, 2), (1, 2, 3)).save(tmp_path / "pictures" / "wood.png", "BMP")
    out, document = carried(wooden, tmp_path)
    assert document["images"][0]["mimeType"] == "image/png"
    (data,) = pictures(out)
    assert Image.open(io.BytesIO(data)).getpixel((0, 0)) == (1, 2, 3, 255)


@pytest.mark.parametrize(
    ("name", "text", "missing"),
    [
        ("a.mtl", None, "a.mtl"),
        ("a.mtl", MTL.replace("pictures", ".."), "../wood.png"),
        ("pictures/wood.png", "no picture", "pictures/wood.png"),
    ],
)
def test_what_an_obj_names_and_cannot_be_read_is_told(tmp_path, wooden, name, text, missing):
    (tmp_path.parent / "wood.png").write_bytes(png())
    if text is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(text)
    assert filed_mesh(wooden).mended[0].startswith(f"{missing!r}, which it names, is")
    _, document = carried(wooden, tmp_path)
    assert "images" not in document
    assert [one["name"] for one in document["materials"]] == ["red", "wood"]


def test_an_obj_of_a_shape_alone_has_no_look(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert filed_mesh(path).look is None


def test_a_broken_obj_with_texture_coordinates_is_named(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 x 0\nvt 0 0\nf 1/1 2/1 3/1\n")
    with pytest.raises(RigFileError, match=r"a\.obj.*line 3.*does not parse"):
        filed_mesh(path)


def test_colours_of_faces_are_told_of(tmp_path):
    import trimesh

    box = trimesh.creation.box()
    box.visual.face_colors = np.arange(48).reshape(12, 4).astype(np.uint8)
    box.export(tmp_path / "a.ply")
    assert "the colours of its faces cannot be carried over" in filed_mesh(tmp_path / "a.ply").mended
