#!/usr/bin/perl
# run.pl check|test|soak: builds and tests. Says of each job how long it took, as it ends, and of one that failed
# all that it said; the last line is `N passed, N failed`.
#
#   check   does it work here? the release build: the C programs but the slowest, the command line
#   test    the static checks; the release build; what handles memory again under the address and
#           undefined-behaviour sanitizers; what uses threads under the thread sanitizer
#   soak    the same, with every repetition (NIGHTJAR_SOAK=1: more kills, signals, nights, programs)
#
# A job is `VARIANT test_NAME`, a C program of tests/unit or tests/stage, `VARIANT FOLDER/NAME`, a script of
# tests, or `make TARGETS`. The first two speak TAP (https://testanything.org).
use strict;
use warnings;
use TAP::Harness;

my $mode = shift // 'test';
my $make = $ENV{MAKE} // 'make';
my $is_soak = $mode eq 'soak';
$is_soak ? ($ENV{NIGHTJAR_SOAK} = 1) : delete $ENV{NIGHTJAR_SOAK}; # programs ask whether it is there
$ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
# freed blocks are kept from use for as long as it takes to notice one that is used
$ENV{ASAN_OPTIONS} //= 'quarantine_size_mb=32';
chomp(my $n_cpus = `nproc`);
# in memory, where there is room, so that no test waits for the disk
my ($room) = `df -Pk /dev/shm 2>/dev/null` =~ m{(\d+)\s+\d+%\s+/dev/shm$}m;
$ENV{TMPDIR} //= '/dev/shm' if !$is_soak && ($room // 0) > 4e6;

my @slow = qw(test_train_resume test_publish_readers test_warm_start test_catch_up test_damaged);
my %is_slow = map {$_ => 1} @slow;
my @quick = grep {!$is_slow{$_}} map {m{(test_\w+)\.c}} sort glob 'tests/{unit,stage}/test_*.c';
my @threaded = map {"test_$_"} qw(pool contrast contrast_losses ranking inverted_lists trainer item_pairs
    tower optimizer train_batch sequence ridge);
# the longest first
my @scripts = qw(data/run fault/interruption cli/run stage/planted fault/environment fault/neighbours fault/year
    cli/install cli/init fault/ranks fault/determinism fault/landed fault/bad_input fault/nights cli/page cli/docs cli/queries
    cli/extension cli/reference platform/program platform/container);
# another processor, compiler, folder and Debian; what a contributor adds
unshift @scripts, qw(platform/debian platform/cross platform/builds platform/schema platform/one_place)
    if $is_soak;
# what is no more than quality, or other programs than ours, is left to the release build
my @sanitized = grep {!m{fault/ranks|fault/year|cli/install|cli/page|cli/docs|cli/queries|cli/reference|platform}} @scripts;

my ($passed, $failed, $skipped, %said) = (0, 0, 0);

# The command of a job. A target of make is a test that passes or fails.
sub command {
    my ($variant, $what) = split ' ', $_[0], 2;
    return ['sh', '-c', 'echo 1..1; if "$@"; then echo ok; else echo not ok; fi', 'sh', $make,
        '--no-print-directory', '-s', split ' ', $what] if $variant eq 'make';
    # one that hangs is ended after half an hour; the soak may take as long as it likes
    my @command = ('timeout', '-k', '10', $is_soak ? 0 : 1800);
    return [@command, 'env', "BUILD=build/$variant", 'sh', "tests/$what.sh"] if $what =~ m{/};
    return [@command, glob "build/$variant/tests/*/$what"];
}

# report JOB PARSER: one that has ended
sub report {
    my ($name, $parser) = ($_[0][0], $_[1]);
    my %is_skipped = map {$_ => 1} $parser->skipped; # cmocka says "not ok" of them
    my $n_skipped = keys %is_skipped;
    my $n_passed = grep {!$is_skipped{$_}} $parser->passed;
    my $n_failed = grep {!$is_skipped{$_}} $parser->failed;
    $n_failed ||= $parser->parse_errors || $parser->exit || $parser->wait ? 1 : 0;
    my @lines = @{$said{$name} // []};
    printf "%7.1f s  %s: %d passed%s%s\n", $parser->end_time - $parser->start_time, $name, $n_passed,
        $n_failed ? ", $n_failed FAILED" : '', $n_skipped ? ", $n_skipped skipped" : '';
    print map {"           $_\n"} $n_failed
        ? (grep({!/^ok /} @lines), $parser->parse_errors, 'exit ' . ($parser->exit // 0)) : grep {/# SKIP/} @lines;
    $passed += $n_passed, $failed += $n_failed, $skipped += $n_skipped;
}

# jobs N NAME...: runs them, N at a time; whether all passed
sub jobs {
    my ($n_at_a_time, @names) = @_;
    my $before = $failed;
    my $harness = TAP::Harness->new({jobs => $n_at_a_time, merge => 1, verbosity => -3,
        exec => sub {command($_[1])}});
    $harness->callback(made_parser => sub {
        my ($parser, $job) = @_;
        $parser->callback(ALL => sub {push @{$said{$job->[0]}}, $_[0]->raw});
    });
    $harness->callback(after_test => \&report);
    $harness->runtests(@names);
    return $failed == $before;
}

# suite VARIANT TARGETS JOB...: builds the targets and runs the jobs
sub suite {
    my ($variant, $targets, @jobs) = @_;
    return jobs(1, "make -j$n_cpus VARIANT=$variant $targets") && jobs($n_cpus, map {"$variant $_"} @jobs);
}

$| = 1;
if ($mode eq 'check') {
    suite('release', 'tests', 'cli/run', 'cli/docs', 'cli/reference', @quick);
} else {
    jobs(1, map {"make $_"} qw(layers format-check lint));
    suite('release', 'tests', @scripts, @slow, @quick);
    suite('asan', 'tests', @sanitized, @slow, @quick);
    suite('tsan', join(' ', map {"build/tsan/tests/unit/$_"} @threaded), @threaded);
}
my $seconds = time - $^T;
printf "%s took %d min %d s%s\n", "make $mode", $seconds / 60, $seconds % 60, $skipped ? "; $skipped skipped" : '';
print "$passed passed, $failed failed\n";
exit($failed || !$passed ? 1 : 0);
