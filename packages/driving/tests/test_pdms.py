"""PDMS and EPDMS: each term where it is violated, and the composites of the sheet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from guerdon.errors import TaskError
from guerdon_driving.composites import DAC, DDC, EC, EP, HC, LK, NC, TLC, TTC, C, epdms_value, pdms_value
from guerdon_driving.motions import motions
from guerdon_driving.pdms import Previous, epdms, epdms_many, pdms, pdms_many
from guerdon_driving.replays import replay
from guerdon_driving.scenes import Scene
from guerdon_driving.time_to_collision import time_to_collision

TIMES = np.arange(1, 9) * 0.5


def strip(low, high, begin=-50.0, end=150.0):
    return np.array([[begin, low], [end, low], [end, high], [begin, high]])


def straight(speed=10.0, aside=0.0):
    """Poses after now at a speed, moving over to the side within the first second."""
    y = aside * np.minimum(TIMES, 1.0)
    return np.stack([speed * TIMES, y, np.zeros(8)], axis=-1)


def scene(*objects, kinds=None, size=(4.0, 2.0), human=10.0, **changed):
    """An ego vehicle at 10 m/s; each object is (x, y, speed along x), or poses (9, 3)."""
    now = np.zeros((1, 3))
    times = np.concatenate([[0.0], TIMES])
    others = [
        np.asarray(each, dtype=float)
        if np.ndim(each) == 2
        else np.stack([each[0] + each[2] * times, np.full(9, each[1]), np.zeros(9)], axis=-1)
        for each in objects
    ]
    given = {
        "step_s": 0.5,
        "ego_size": size,
        "ego": np.concatenate([now, straight(human)]),
        "speed": 10.0,
        "past": np.zeros((0, 3)),
        "others": np.array(others).reshape(len(objects), 9, 3),
        "sizes": np.tile([4.0, 2.0], (len(objects), 1)),
        "kinds": kinds or ("vehicle",) * len(objects),
        "drivable": (strip(-10, 10),),
        "route": np.array([[-50.0, 0.0], [150.0, 0.0]]),
    }
    return Scene(**(given | changed))


def term(found, name):
    return found.terms[name].tolist()


def ones(**changed):
    return {name: np.ones(1) for name in (NC, DAC, DDC, TLC, EP, TTC, C, LK, HC, EC)} | {
        name: np.full(1, value) for name, value in changed.items()
    }


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({EP: 0.8}, 0.916667),
        ({DAC: 0.0}, 0.0),
        ({NC: 0.5, EP: 0.6, C: 0.0}, 0.333333),
        ({TTC: 0.0, EP: 0.8}, 0.5),
    ],
)
def test_the_sheets_pdms(changed, wanted):
    """Worked example 3."""
    assert pdms_value(ones(**changed))[0] == pytest.approx(wanted, abs=1e-6)


def test_the_sheets_epdms():
    """Worked example 4: .5 * (4.5 + 5 + 2 + 2 + 0) / 16."""
    assert epdms_value(ones(**{DDC: 0.5, EP: 0.9, EC: 0.0}))[0] == pytest.approx(0.421875)


def test_a_term_that_the_human_has_none_of_is_asked_of_nobody():
    """With DDC and EC at 1: (4.5 + 5 + 2 + 2 + 2) / 16."""
    found = epdms_value(ones(**{DDC: 0.0, EP: 0.9, EC: 0.0}), ones(**{DDC: 0.0, EC: 0.0}))
    assert found[0] == pytest.approx(15.5 / 16)


def test_the_human_path_on_a_free_road_earns_everything():
    found = pdms(scene(), straight()[None])
    assert found.value.tolist() == [1.0]
    assert all(value.tolist() == [1.0] for value in found.terms.values())
    assert found.why(0) == "nothing violated"
    assert epdms(scene(), straight()[None]).value.tolist() == [1.0]


def test_running_into_a_standing_car_is_at_fault_and_seen_coming():
    """Front at x + 2, its rear at 28: reached at 26 m, after 2.6 s; the look ahead of .9 s sees it 9 m earlier."""
    found = pdms(scene((30.0, 0.0, 0.0)), straight()[None])
    assert (term(found, NC), term(found, TTC), found.value.tolist()) == ([0.0], [0.0], [0.0])
    assert found.first_s[NC][0] == pytest.approx(2.6)
    assert found.first_s[TTC][0] == pytest.approx(1.7)
    assert "no_at_fault_collisions 0 at 2.6 s" in found.why(0)


def test_a_thing_costs_half():
    assert term(pdms(scene((30.0, 0.0, 0.0), kinds=("static",)), straight()[None]), NC) == [0.5]


def test_being_run_into_from_behind_is_not_at_fault():
    found = pdms(scene((-10.0, 0.0, 14.0)), straight()[None])
    assert (term(found, NC), term(found, TTC)) == ([1.0], [1.0])


def test_the_released_time_to_collision_takes_a_faster_car_behind_for_one_ahead():
    """It touches 1.5 s from now; .9 s before, the ego is 9 m short of that, and the car's place is ahead."""
    behind = scene((-10.0, 0.0, 14.0))
    world, motion = replay(behind), motions(straight()[None], 0.5)
    given = (motion, behind.ego_size, world.others, behind.sizes, np.array([False]), np.zeros((1, 41), dtype=bool))
    assert time_to_collision(*given)[0].tolist() == [1.0]
    assert time_to_collision(*given, seen_from="now")[0].tolist() == [0.0]


def test_a_standing_ego_is_never_at_fault():
    """A car comes towards it head on."""
    still = np.zeros((1, 8, 3))
    assert term(pdms(scene((30.0, 0.0, -10.0)), still, start="free"), NC) == [1.0]


LANES = (strip(-2, 2), strip(2, 6))


def test_a_touch_at_the_side_is_at_fault_only_across_lanes():
    """The other drives beside, and moves over into the ego's side within its lane."""
    beside = np.stack([10 * np.arange(9) * 0.5 - 1.0, np.linspace(4.0, 0.5, 9), np.zeros(9)], axis=-1)
    in_lane, across = straight(), straight(aside=1.2)
    found = pdms(scene(beside, lanes=LANES), np.stack([in_lane, across]))
    assert term(found, NC) == [1.0, 0.0]
    assert term(pdms(scene(beside), np.stack([in_lane, across])), NC) == [1.0, 1.0]  # no lanes are known


def test_what_overlaps_at_the_start_is_not_looked_at():
    found = pdms(scene((1.0, 0.0, 10.0)), straight()[None])
    assert (term(found, NC), term(found, TTC)) == ([1.0], [1.0])


def test_only_the_first_overlap_with_an_object_is_judged():
    """Hit from behind first; that its front is met later changes nothing."""
    back = np.zeros((9, 3))
    back[:, 0] = [-12, -6, 2, 14, 24, 30, 34, 36, 41]
    assert term(pdms(scene(back), straight()[None]), NC) == [1.0]


def test_what_is_not_there_yet_is_not_hit():
    ghost = np.full((9, 3), np.nan)
    ghost[0] = (20.0, 0.0, 0.0)
    assert pdms(scene(ghost), straight()[None]).value.tolist() == [1.0]


def test_a_corner_off_the_road_costs_everything():
    """Half a width is 1 m: a centre at 0.9 stays within the border at 2, and at 1.1 leaves it."""
    found = pdms(scene(drivable=(strip(-2, 2),)), np.stack([straight(aside=0.9), straight(aside=1.1)]))
    assert term(found, DAC) == [1.0, 0.0]
    assert term(pdms(scene(drivable=()), straight(aside=4.0)[None]), DAC) == [1.0]  # nothing is known of the road


def test_two_areas_together_are_one_road():
    road = (strip(-2, 2, end=20), strip(-2, 2, begin=20))
    assert term(pdms(scene(drivable=road), straight()[None]), DAC) == [1.0]


def test_progress_is_shared_by_the_better_of_plan_and_human():
    """20 m of the human's 40; 48 m, which beats it."""
    found = pdms(scene(), np.stack([straight(5.0), straight(12.0)]))
    np.testing.assert_allclose(found.terms[EP], [0.5, 1.0])


def test_nobody_is_asked_to_progress_where_five_metres_were_the_best():
    slow = scene(human=1.25, speed=1.25)
    np.testing.assert_allclose(pdms(slow, np.stack([straight(0.0), straight(1.25)])).terms[EP], [1.0, 1.0])
    np.testing.assert_allclose(pdms(scene(human=1.3, speed=1.3), straight(0.0)[None]).terms[EP], [0.0])


def test_without_a_route_progress_follows_the_driven_path_and_beyond():
    found = pdms(scene(route=None), np.stack([straight(5.0), straight(12.0)]))
    np.testing.assert_allclose(found.terms[EP], [0.5, 1.0])


# -- cheats ------------------------------------------------------------------------------------------------------------


def test_standing_still_breaks_no_rule_by_its_poses_and_earns_no_progress():
    """(0 + 5 + 2) / 12 by the poses alone; from 10 m/s, the stop at once is felt: 5 / 12."""
    still = np.zeros((1, 8, 3))
    free = pdms(scene(), still, start="free")
    assert [term(free, name) for name in (NC, DAC, TTC, C, EP)] == [[1.0], [1.0], [1.0], [1.0], [0.0]]
    assert free.value[0] == pytest.approx(7 / 12)
    assert pdms(scene(), still).value[0] == pytest.approx(5 / 12)


def test_where_the_human_broke_a_gate_standing_still_is_no_progress_either():
    """The human drives off a road that ends at 20 m. By EPDMS nobody is asked to stay on it, and the human's 40 m are
    what there was to gain: 0, and half of it at 5 m/s. By the poses alone (0 + 5 + 2 + 2 + 2) / 16."""
    short = scene(drivable=(strip(-10, 10, end=20.0),))
    found = epdms(short, np.stack([straight(0.0), straight(5.0), straight(10.0)]), start="free")
    assert found.excused == (DAC,)
    np.testing.assert_allclose(found.terms[EP], [0.0, 0.5, 1.0])
    assert found.value[0] == pytest.approx(11 / 16)


def test_a_heading_that_turns_away_from_whom_one_rams_is_no_trajectory():
    """Straight on at 10 m/s into a car at 4 m/s. Its collision was nobody's fault as long as the ego pointed away. From
    pose 3 to 4 it points at .85 * 1.75 s in the mean, 85 degrees."""
    ram = straight()
    spun = ram.copy()
    spun[:, 2] = 0.85 * TIMES
    ahead = scene((25.0, 0.0, 4.0), human=4.0)
    found = pdms(ahead, np.stack([ram, spun]))
    assert found.value.tolist() == [0.0, 0.0]
    assert found.reasons[1] == "pose 4 points 85 degrees aside of the way there; 45 are the most"


def test_what_is_no_trajectory_earns_nothing_and_says_why():
    good = straight()
    bad = [np.where(good == 20.0, np.nan, good), good * 100, np.concatenate([good[:4], good[4:] + 60]), good[::-1]]
    found = pdms(scene(), np.stack([*bad, good]))
    assert found.value.tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]
    for row, said in enumerate(("finite", "m/s", "m/s", "m/s")):  # reversed, the first step leaps 40 m
        assert said in found.reasons[row]
        assert found.why(row) == found.reasons[row]
        assert all(values[row] == 0 for values in found.terms.values())


def test_a_batch_of_nothing_valid_and_one_that_is_empty_are_scored():
    assert pdms(scene(), np.full((2, 8, 2), np.nan)).value.tolist() == [0.0, 0.0]
    assert pdms(scene(), np.zeros((0, 8, 2))).value.tolist() == []
    assert epdms(scene(), np.full((2, 1, 2), 1.0)).reasons == ("1 poses; at least 4 are needed",) * 2


def test_trajectories_are_scored_together_as_alone_and_scenes_likewise():
    rng = np.random.default_rng(0)
    scenes = [scene((30.0, 0.0, 0.0)), scene((15.0, 3.0, 8.0), lanes=LANES)]
    plans = [straight()[None] * rng.uniform(0.5, 1.2, (5, 1, 1)) + rng.normal(0, 0.5, (5, 8, 3)) for _ in scenes]
    together = pdms_many(scenes, plans)
    for each, some, found in zip(scenes, plans, together, strict=True):
        alone = [pdms(each, one[None]) for one in some]
        np.testing.assert_array_equal(found.value, np.concatenate([one.value for one in alone]))
        for name, values in found.terms.items():
            np.testing.assert_array_equal(values, np.concatenate([one.terms[name] for one in alone]))


def test_scenes_of_any_kind_are_judged_together_as_alone():
    """With no object, no lane, no plan, an object that is gone, a shorter scene, a red light: nothing spills over."""
    gone = np.full((9, 3), np.nan)
    short = scene((12.0, 0.0, 0.0))
    short = replace(short, ego=short.ego[:7], others=short.others[:, :7])
    scenes = [
        scene(drivable=()),
        scene((30.0, 0.0, 0.0), gone, lanes=LANES, oncoming=LANES[1:]),
        short,
        scene((12.0, 2.5, 2.0), (9.0, -3.0, 4.0), lanes=LANES[:1], drivable=LANES, ego_size=(5.0, 2.2), route=None),
        scene((-10.0, 0.0, 14.0), red_lights=(strip(-2, 2, 20, 25),), intersections=(strip(-10, 10, 5, 15),)),
    ]
    rng = np.random.default_rng(1)
    plans = [
        straight()[None] * rng.uniform(0.5, 1.2, (count, 1, 1)) + rng.normal(0, 0.5, (count, 8, 3))
        for count in (3, 4, 2, 5, 0)
    ]
    plans[1][2, 3, 0] = np.nan
    for many, one_alone in ((pdms_many, pdms), (epdms_many, epdms)):
        for each, some, found in zip(scenes, plans, many(scenes, plans), strict=True):
            alone = one_alone(each, some)
            np.testing.assert_array_equal(found.value, alone.value)
            assert found.reasons == alone.reasons
            for name, values in alone.terms.items():
                np.testing.assert_array_equal(found.terms[name], values)
            for name, when in alone.first_s.items():
                np.testing.assert_array_equal(found.first_s[name], when)


def test_a_collision_in_one_scene_of_a_batch_costs_only_that_one():
    """Front at x + 2, its rear at 28: reached after 2.6 s; the other scene's object drives away."""
    found = pdms_many([scene((30.0, 0.0, 20.0)), scene((30.0, 0.0, 0.0))], [straight()[None]] * 2)
    assert [term(one, NC) for one in found] == [[1.0], [0.0]]
    assert found[1].first_s[NC][0] == pytest.approx(2.6)


def test_a_plan_at_another_step_is_judged_alike():
    fine = np.stack([np.arange(1, 41) * 1.0, np.zeros(40), np.zeros(40)], axis=-1)
    assert pdms(scene((30.0, 0.0, 0.0)), fine[None], step_s=0.1).first_s[NC][0] == pytest.approx(2.6)


def test_a_longer_plan_is_judged_as_far_as_the_scene_goes():
    long = np.stack([5.0 * np.arange(1, 13), np.zeros(12)], axis=-1)
    assert pdms(scene(), long[None]).value.tolist() == [1.0]


def test_a_scene_too_short_is_told():
    short = scene()
    cut = Scene(0.5, (4, 2), short.ego[:4], 10.0, short.past, np.zeros((0, 4, 3)), np.zeros((0, 2)), ())
    with pytest.raises(TaskError, match="3 poses"):
        pdms(cut, straight()[None])
    with pytest.raises(ValueError, match="shape"):
        pdms(short, straight())


# -- what EPDMS adds ---------------------------------------------------------------------------------------------------


def test_metres_in_an_oncoming_lane_count_within_a_second():
    """At 10 m/s beside the line: 10 m in a second; at 4 m/s 4 m; at 1 m/s 1 m."""
    oncoming = {"oncoming": (strip(2, 6),)}
    plans = np.stack([straight(10, 4.0), straight(4.0, 4.0), straight(1.0, 4.0), straight()])
    plans[:, :, 1] = np.where(plans[:, :, 1] > 0, 4.0, 0.0)
    plans[:3, 0, 1] = 0.0  # over at once between 0.5 and 1 s, so that the way over is not long
    found = epdms(scene(**oncoming), plans)
    assert term(found, DDC)[0] == 0.0
    assert term(found, DDC)[3] == 1.0
    assert found.first_s[DDC][3] == np.inf
    along = np.stack([straight(4.0), straight(1.5)])
    everywhere = epdms(scene(oncoming=(strip(-6, 6, begin=1.0),), human=0.0), along)
    assert term(everywhere, DDC) == [0.5, 1.0]
    assert term(epdms(scene(oncoming=(strip(-6, 6),), intersections=(strip(-6, 6),)), along), DDC) == [1.0, 1.0]


def test_running_a_red_light_costs_everything_and_stopping_before_it_does_not():
    stop = np.stack([np.minimum(10 * TIMES - TIMES**2 * 1.4, 17.8), np.zeros(8), np.zeros(8)], axis=-1)
    found = epdms(scene(red_lights=(strip(-2, 2, 20, 22),), human=0.0), np.stack([straight(), stop]))
    assert term(found, TLC) == [0.0, 1.0]
    assert found.first_s[TLC][0] == pytest.approx(1.8)  # the front at x + 2 touches 20


def test_two_seconds_beside_the_centre_line_are_too_long():
    found = epdms(scene(), np.stack([straight(aside=0.4), straight(aside=0.6), straight()]))
    assert term(found, LK) == [1.0, 0.0, 1.0]
    assert term(epdms(scene(intersections=(strip(-5, 5),)), straight(aside=0.6)[None]), LK) == [1.0]
    assert term(epdms(scene(route=None), straight(aside=0.6)[None]), LK) == [1.0]


def test_history_comfort_feels_a_jolt_at_the_seam():
    """The past drove 10 m/s; a plan that goes on at 5 brakes at once, whatever its own poses say."""
    past = np.stack([np.array([-15.0, -10.0, -5.0]), np.zeros(3), np.zeros(3)], axis=-1)
    found = epdms(scene(past=past), np.stack([straight(), straight(5.0)]), start="free")
    assert term(found, HC) == [1.0, 0.0]
    assert term(epdms(scene(), straight(5.0)[None], start="free"), HC) == [1.0]


def test_extended_comfort_compares_with_the_plan_before():
    steady, braking = straight(), np.stack([10 * TIMES - TIMES**2 * 0.9, 0 * TIMES, 0 * TIMES], axis=-1)
    before = Previous(straight(), 10.0, 0.5)
    found = epdms(scene(), np.stack([steady, braking]), previous=before)
    assert term(found, EC) == [1.0, 0.0]
    assert term(epdms(scene(), braking[None]), EC) == [1.0]


def test_what_the_human_broke_is_excused_and_said_so():
    """Everyone drives off this road."""
    found = epdms(scene(drivable=(strip(20, 30),)), straight()[None])
    assert found.excused == (DAC,)
    assert term(found, DAC) == [0.0]
    assert found.value[0] > 0
    assert found.why(0) == "nothing violated"
