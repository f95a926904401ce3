from radiod.core.cluster.questions import MAX_OPEN, Questions
from radiod.errors import NETWORK_FAILURE


def test_an_answer_counts_once_and_only_from_the_one_who_was_asked():
    questions, answers = Questions(), []
    question = questions.begin(1, "it", b"", answers.append, is_kept=False)
    questions.settle(question.id, 2, b"of another")
    assert (answers, len(questions)) == ([], 1)
    questions.settle(question.id, 1, b"x")
    questions.settle(question.id, 1, b"y")
    assert (answers, len(questions)) == ([b"x"], 0)


def test_one_too_many_is_refused():
    questions, answers = Questions(), []
    for _ in range(MAX_OPEN):
        assert questions.begin(1, "it", b"", answers.append, is_kept=False)
    assert not questions.has_room(1)
    assert questions.begin(1, "it", b"", answers.append, is_kept=False) is None
    assert answers[0].uri == NETWORK_FAILURE


def test_all_to_one_node_end_with_it():
    questions, answers = Questions(), []
    for node in (1, 2, 1):
        questions.begin(node, "it", b"", answers.append, is_kept=True)
    assert len(questions.of(1)) == 2
    assert len(questions.unsent()) == 3
    questions.end(1, "it is gone")
    assert [answer.text for answer in answers] == ["it is gone"] * 2
    assert len(questions) == 1
