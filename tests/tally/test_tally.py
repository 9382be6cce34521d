"""Thousands of elections that Banyan counted, counted again by programs that know nothing of it.

Ranked choice by PyRankVote, score by votelib. The elections are what BANYAN_ELECTIONS names, one JSON object a line;
`cargo xtask test tally` makes them up and sets it.

The references break ties in their own ways, so winners are compared where no tie matters, and must be among the
possible ones elsewhere. The tie rules themselves are held to a second wording of them: score's here, that of the run-off
in crates/governance/src/tally/tests/ties.rs.
"""

import collections
import json
import os

import pyrankvote
import pytest
import votelib.convert
import votelib.evaluate.cardinal
import votelib.evaluate.core
from pyrankvote.helpers import CandidateStatus

# So many of the elections have to allow the whole comparison; else this would show little.
AT_LEAST = 1000


@pytest.fixture(scope="module")
def elections():
    with open(os.environ["BANYAN_ELECTIONS"], encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def votes(election):
    """What is counted for each member: their last ballot, else that of the first along their chain who voted."""
    own = {voter: numbers for voter, numbers in election["ballots"]}
    trusted = {giver: taker for giver, taker in election["delegations"]}
    counted = []
    for member in range(election["members"]):
        steps = 0
        while member not in own and member in trusted and steps < election["max_length"]:
            member, steps = trusted[member], steps + 1
        if member in own:
            counted.append(own[member])
    return counted


def of_method(elections, name):
    """The elections of a method in which anybody voted, with their votes."""
    for election in elections:
        if election["method"]["name"] != name:
            continue
        counted = votes(election)
        assert election["outcome"]["electorate"] == election["members"]
        assert election["outcome"]["taking_part"] == len(counted)
        if counted:
            yield election, counted
        else:
            assert election["outcome"]["verdict"] == {"verdict": "rejected", "reason": "no_votes"}


def winner(election):
    verdict = election["outcome"]["verdict"]
    assert verdict["verdict"] == "accepted", election
    return verdict["option"]


def first_of(order, left):
    return next((option for option in order if option in left), None)


def possible_winners(orders, left, known):
    """Who can win a run-off among the options that are left, over all ways to break its ties."""
    if left not in known:
        counts = collections.Counter(first_of(order, left) for order in orders)
        fewest = min(counts[option] for option in left)
        lowest = [option for option in left if counts[option] == fewest]
        known[left] = left if len(left) == 1 else frozenset().union(
            *(possible_winners(orders, left - {option}, known) for option in lowest)
        )
    return known[left]


def test_ranked_choice_agrees_with_pyrankvote(elections):
    clear = tied = rounds = 0
    for election, orders in of_method(elections, "ranked_choice"):
        candidates = [pyrankvote.Candidate(str(option)) for option in range(election["options"])]
        ballots = [pyrankvote.Ballot([candidates[option] for option in order]) for order in orders]
        theirs = pyrankvote.instant_runoff_voting(candidates, ballots)
        everything = frozenset(range(election["options"]))
        possible = possible_winners(orders, everything, {})
        if len(possible) == 1:
            clear += 1
            assert winner(election) == int(theirs.get_winners()[0].name), election
        else:
            tied += 1
            assert winner(election) in possible, election
        # Rounds by what is left in them: PyRankVote drops options together that cannot win any more, Banyan one by one.
        ours, left = {}, everything
        for our in election["outcome"]["detail"]["rounds"]:
            counts = collections.Counter(first_of(order, left) for order in orders)
            fewest = min(counts[option] for option in left)
            lowest = sorted(option for option in left if counts[option] == fewest)
            ours[left] = our
            if our["eliminated"] is not None:
                assert our["eliminated"] in lowest, election
                assert our["tied"] == (lowest if len(lowest) > 1 else []), election
                left -= {our["eliminated"]}
        left = everything
        for their in theirs.rounds:
            if left not in ours:
                break
            rounds += 1
            results = {int(result.candidate.name): result for result in their.candidate_results}
            assert ours[left]["votes"] == [round(results[option].number_of_votes) for option in sorted(results)]
            assert ours[left]["exhausted"] == round(their.number_of_blank_votes)
            left = frozenset(option for option in left if results[option].status == CandidateStatus.Hopeful)
    print(f"{clear} clear results and {rounds} rounds the same, {tied} results that depend on ties among the possible ones")
    assert clear >= AT_LEAST


def test_score_agrees_with_votelib(elections):
    clear = tied = 0
    for election, counted in of_method(elections, "score"):
        papers = collections.Counter(frozenset(enumerate(points)) for points in counted)
        sums = votelib.convert.ScoreToSimpleVotes(function="sum").convert(papers)
        ours = election["outcome"]["detail"]["sums"]
        assert ours == [sums[option] for option in range(election["options"])]
        if not any(ours):
            assert election["outcome"]["verdict"] == {"verdict": "rejected", "reason": "not_enough"}
            continue
        [theirs] = votelib.evaluate.cardinal.ScoreVoting(function="sum").evaluate(papers, 1)
        if isinstance(theirs, votelib.evaluate.core.Tie):
            tied += 1
            # More of the most points, of the next lower, and so on; else the earlier.
            given = {option: sorted((points[option] for points in counted), reverse=True) for option in theirs}
            assert winner(election) == max(theirs, key=lambda option: (given[option], -option)), election
        else:
            clear += 1
            assert winner(election) == theirs, election
    print(f"{clear} clear results the same, {tied} ties broken as the rule says")
    assert clear >= AT_LEAST
