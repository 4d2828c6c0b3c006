"""Which test does what a problem advises and goes on: by `room/file.py: function`, or by the file for all of it."""

from __future__ import annotations

DISK = "faults/test_disk.py::test_a_disk_that_fails_in_any_phase_is_told_and_when_it_is_back_the_work_goes_on"
FORM = "tui/test_form.py::test_an_answer_that_cannot_be_right_is_refused_beside_its_field_and_stays_there"
REGISTERED = (
    "tasks/test_registered.py::"
    "test_each_thing_that_is_wrong_is_said_with_its_form_until_all_is_right_and_no_secret_is_seen"
)
LABEL = "walked::a damaged label"
ANEW = "tasks/test_archives_given_anew.py::test_the_right_archive_after_a_wrong_one_is_taken"
MENDED = "verification/test_verify.py::test_all_that_was_planted_is_mended_from_the_mirror"
TREE = (
    "verification/test_extracted.py::"
    "test_a_class_table_that_changed_behind_size_and_time_is_noticed_and_the_accepted_one_comes_back"
)
ACCEPTED = (
    "tasks/test_tree.py::test_a_modified_tree_is_refused_until_the_user_accepts_it_and_the_complaint_names_what_differs"
)
CLUSTER = "workers/test_dask.py::test_without_a_worker_it_says_so_waits_and_goes_on_when_one_comes"

PROVEN: dict[str, tuple[str, ...]] = {
    "answers/base_url.py": (REGISTERED,),
    "answers/fields.py: _unlike": (FORM,),
    "answers/links.py": (
        FORM,
        REGISTERED,
        "tui/test_form.py::test_a_source_that_is_not_there_is_refused_beside_its_field",
    ),
    "archives/atomic_tree.py": ("walked::a file in the way",),
    "archives/layout.py": ("walked::another archive uploaded",),
    "archives/member.py: damaged_archive": ("walked::a damaged archive", ANEW),
    "archives/parquet_folder.py": (
        "tasks/test_hub.py::test_the_masks_of_the_hub_are_those_of_the_zip_and_its_files_go_once_they_are_unpacked",
    ),
    "archives/reader.py": ("walked::an archive cut short", ANEW),
    "archives/unpack.py: _failed": (DISK,),
    "archives/unpack.py: _room": (DISK,),
    "calls.py": (DISK,),
    "core/files.py": (
        "faults/test_machines.py::test_raw_labels_that_cannot_be_removed_are_named_and_go_at_the_next_start",
    ),
    "datasets/archive_login.py": (REGISTERED,),
    "datasets/hub_folder.py": (
        "tasks/test_hub.py::test_a_token_is_asked_for_only_where_the_hub_wants_one_and_goes_to_it_alone",
    ),
    "datasets/label_maps.py: make_label_maps": (LABEL, DISK),
    "datasets/label_maps.py: outputs_to_make": ("walked::maps of another program",),
    "datasets/withdrawn.py": (
        "datasets/test_withdrawn.py::test_what_its_own_site_has_no_more_is_set_aside_once_the_user_allows_it",
    ),
    "engine.py: _work": ("walked::nothing to get it from", "walked::a named folder that is gone"),
    "engine.py: fetch_all": ("cli/test_small_things.py::test_fetch_only_ends_with_0_once_every_archive_is_at_hand",),
    "http/login.py: _wrong": (REGISTERED,),
    "http/partial_file.py": (
        DISK,
        "http/test_download_stops.py::test_a_file_that_may_grow_no_further_is_a_problem_and_what_is_here_is_kept",
    ),
    "http/refusals.py": (
        "http/test_fresh_links.py::"
        "test_a_link_that_expires_on_the_way_is_asked_for_anew_and_the_download_goes_on_from_the_same_byte",
    ),
    "labels/codec.py": (LABEL, MENDED),
    "labels/masks.py": (MENDED,),
    "labels/readers/mat.py": (LABEL,),
    "labels/readers/panoptic.py": (LABEL, MENDED),
    "labels/readers/polygons.py": (LABEL,),
    "labels/records.py": (TREE,),
    "labels/relabel.py": (MENDED,),
    "labels/remap.py": (LABEL, DISK),
    "labels/taxonomy.py": (TREE,),
    "labels/tree_files.py": (TREE,),
    "labels/readers/colors.py": (TREE,),
    "state/store.py: _change": (DISK,),
    "state/lock.py: take_lock": (
        "faults/test_two.py::"
        "test_a_lock_of_another_host_in_the_middle_of_the_work_is_explained_and_taken_only_when_told",
    ),
    "state/journal_file.py: read_journal": (
        "faults/test_two.py::test_a_journal_that_cannot_be_read_in_the_middle_stops_the_start_and_its_way_out_works",
    ),
    "tasks/agreement.py: _judge": ("tasks/test_agreement.py::test_nine_tenths_are_the_users_to_decide_and_named",),
    "tasks/configure.py": (DISK,),
    "tasks/download.py: _all_wrong": (
        ANEW,
        "http/test_fresh_links.py::test_a_link_that_brings_something_else_is_forgotten",
    ),
    "tasks/download.py: _ask_before_again": (
        "walked::files lost after their archive",
        "verification/test_repair.py::test_once_it_is_allowed_just_that_archive_is_fetched_again",
    ),
    "tasks/download.py: _examine": ("walked::another archive uploaded", ANEW),
    "tasks/download.py: _fetch": (ANEW,),
    "tasks/download.py: _instead": (
        "tasks/test_hub.py::test_a_token_is_asked_for_only_where_the_hub_wants_one_and_goes_to_it_alone",
    ),
    "tasks/download.py: _without": (
        "http/test_fresh_links.py::"
        "test_a_link_that_expires_on_the_way_is_asked_for_anew_and_the_download_goes_on_from_the_same_byte",
    ),
    "tasks/expect.py": ("tasks/test_registered.py::test_with_questions_an_archive_can_be_uploaded_or_named",),
    "tasks/extract.py": (
        "walked::a disk that is not mounted",
        "walked::an archive gone before it was unpacked",
        ANEW,
        "archives/test_archives_on_disk.py::test_an_archive_that_changes_while_it_is_unpacked_is_looked_at_anew",
    ),
    "tasks/folders.py": (DISK,),
    "tasks/install.py: interpreter": ("walked::a Python that is none",),
    "tasks/install.py: _version": ("walked::a Python that is none",),
    "tasks/install.py: _run": ("walked::a Python that is none",),
    "tasks/report.py": (DISK,),
    "tasks/space.py": (
        "tasks/test_space.py::test_a_disk_that_others_fill_later_stops_the_next_start_until_there_is_room_again",
    ),
    "tasks/tree.py: _accept": (ACCEPTED,),
    "tasks/tree.py: _complete": ("walked::settings without their line",),
    "tasks/tree.py: _origin": ("walked::a tree that is not there",),
    "tasks/tree.py: tree": (
        "faults/test_disk_ends.py::test_a_disk_that_fails_while_mseg_api_is_copied_and_configured",
    ),
    "tasks/universal.py: compare": (
        "tasks/test_universal.py::test_damage_is_found_by_comparison_and_mended_by_the_next_start",
    ),
    "tasks/verify.py: _same_tree": (TREE,),
    "tasks/verify.py: verify": (
        MENDED,
        "verification/test_repair.py::"
        "test_before_all_steps_are_complete_it_checks_what_is_there_and_says_what_is_to_come",
    ),
    "tasks/wipe.py": (
        "tasks/test_wipe.py::test_leftovers_are_offered_once_and_deleted_when_allowed",
        "tasks/test_wipe.py::test_it_wipes_only_when_told_and_again_when_something_was_entered_since",
    ),
    "verification/verdict.py": (DISK,),
    "workers/batches.py": ("faults/test_machines.py::test_where_few_processes_are_allowed_the_limit_is_named",),
    "workers/dask.py": (CLUSTER,),
}

NAMED: dict[str, str] = {
    "answers/fields.py: check_field": "spine/test_steps.py::test_a_broken_step_file_is_named_with_key_and_remedy",
    "answers/file.py": "cli/test_cli.py::test_wrong_answers_are_explained_by_name",
    "archives/member.py: too_many": "fuzz/test_bombs.py::test_it_ends_with_a_problem_or_is_read_within_bounds",
    "archives/member.py: unsafe_archive": "fuzz/test_archives.py::test_a_tar_is_unpacked_below_its_folder_or_refused",
    "archives/pread.py": "fuzz/test_archives.py::test_what_is_no_archive_is_told_to_be_none",
    "archives/unpack.py: _believable": "fuzz/test_bombs.py::test_it_ends_with_a_problem_or_is_read_within_bounds",
    "archives/unpack.py: _too_much": "fuzz/test_bombs.py::test_it_ends_with_a_problem_or_is_read_within_bounds",
    "archives/unpack_parallel.py": (
        "archives/test_unpack_parallel.py::test_workers_that_are_killed_cost_nothing_but_time"
    ),
    "archives/zip_file.py": "fuzz/test_archives.py::test_no_damage_to_an_archive_with_sums_passes",
    "context.py": "cli/test_cli.py::test_wrong_answers_are_explained_by_name",
    "core/limits.py": "faults/test_machines.py::test_where_few_processes_are_allowed_the_limit_is_named",
    "core/log.py": "faults/test_machines.py::test_what_stands_where_our_own_files_belong_is_named",
    "core/preferences.py": "cli/test_manners.py::test_preferences_with_a_slip_are_named_and_not_written_over",
    "core/typed_toml.py": "spine/test_steps.py::test_a_broken_step_file_is_named_with_key_and_remedy",
    "datasets/mseg_api.py": "fuzz/test_tree.py::test_a_tree_is_read_or_its_file_is_named",
    "engine.py: start": "spine/test_order.py::test_a_task_that_returns_without_its_outputs_is_not_done",
    "http/addresses.py": "http/test_client.py::test_a_route_is_two_origins_and_never_leaves_the_machine_unencrypted",
    "http/client.py": "http/test_client.py::test_a_certificate_that_nobody_vouches_for_is_refused_and_a_ca_file_helps",
    "http/hub.py": "tasks/test_hub.py::test_what_is_no_listing_is_told_beside_what_the_archives_own_address_said",
    "http/login.py: _changed": "http/test_login.py::test_a_login_page_that_is_not_what_it_was_is_told_with_its_title",
    "http/login.py: _refusal": "http/test_login.py::test_a_login_page_that_is_not_what_it_was_is_told_with_its_title",
    "http/proxies.py": "http/test_proxies.py::test_what_can_be_no_proxy_is_named_by_its_variable",
    "labels/relabeling.py": (
        "spine/test_steps.py::test_a_task_that_could_not_do_its_work_is_named_before_anything_begins"
    ),
    "labels/remapping.py": (
        "spine/test_steps.py::test_a_task_that_could_not_do_its_work_is_named_before_anything_begins"
    ),
    "labels/universal.py": "labels/test_universal.py::test_what_is_wrong_with_the_table_is_named",
    "state/store.py: own_folder": "spine/test_store.py::test_a_destination_that_cannot_be_written_is_a_problem",
    "tasks/agreement.py: _how": (
        "spine/test_steps.py::test_a_task_that_could_not_do_its_work_is_named_before_anything_begins"
    ),
    "tasks/arguments.py": "spine/test_steps.py::test_a_task_that_could_not_do_its_work_is_named_before_anything_begins",
    "tasks/install.py: _failed": "tasks/test_install.py::test_a_failed_pip_shows_its_last_lines_and_what_to_do",
    "tasks/install.py: _installed": "tasks/test_install.py::test_an_older_mseg_from_elsewhere_is_found_out",
    "tasks/install.py: _may_run": (
        "tasks/test_install.py::test_pip_does_not_run_code_that_was_fetched_or_mirrored_and_is_not_msegs_own"
    ),
    "tasks/manifest.py": "tasks/test_universal.py::test_too_little_room_is_said_before_it_begins",
    "tasks/registry.py": "spine/test_steps.py::test_a_broken_step_file_is_named_with_key_and_remedy",
    "tasks/relabel.py": "tasks/test_relabel.py::test_records_that_fit_no_image_stop_it_before_anything_is_written",
    "tasks/remap.py: _rows": "tasks/test_remap.py::test_lists_of_different_lengths_are_refused",
    "tasks/remap.py: _segments": (
        "tasks/test_remap.py::test_annotations_that_cannot_be_read_are_named_and_nothing_is_made"
    ),
    "tasks/tree.py: _incomplete": (
        "tasks/test_tree.py::test_a_tree_that_lacks_a_part_is_refused_by_the_name_of_the_part"
    ),
    "tasks/tree.py: _put_in_place": (
        "tasks/test_prepare_again.py::test_a_folder_of_the_users_at_the_place_is_never_replaced"
    ),
    "tasks/tree.py: _usable_tree": (
        "tasks/test_tree.py::test_lists_that_cannot_be_used_are_named_before_any_work_begins"
    ),
    "tasks/universal.py: estimate": "tasks/test_universal.py::test_too_little_room_is_said_before_it_begins",
    "tasks/universal.py: unrelabelled": "tasks/test_universal.py::test_without_relabelling_it_says_so",
    "verification/plan.py": "verification/test_verify.py::test_a_planted_fault_is_found_and_named_with_its_step",
    "verification/repair.py": "faults/test_disk_ends.py::test_every_call_of_both_steps_is_struck",
    "workers/dask_checks.py": (
        "workers/test_dask.py::test_a_worker_with_other_programs_is_told_and_one_that_joins_late_gets_nothing"
    ),
    "workers/pool.py": "faults/test_machines.py::test_without_semaphores_what_is_missing_is_named",
}
"""Those whose advice no test follows, because it leads out of the journey: to a publisher, the nodes of a cluster, the
machine's own settings, a step file. Their words are held by these.
"""
