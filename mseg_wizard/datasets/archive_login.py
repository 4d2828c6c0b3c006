"""Logging in where an archive's site asks for an account, with the credentials of the archive's step.

Which sites there are is said by the step files.
"""

from __future__ import annotations

from mseg_wizard.context import Context
from mseg_wizard.http.client import HttpClient
from mseg_wizard.http.login import WrongCredentials, log_in, published_md5
from mseg_wizard.http.remote_file import Location
from mseg_wizard.progress import Waiting
from mseg_wizard.step import Archive


class ArchiveLogin:
    """One archive's way through its site's login; afterwards it knows what the site itself says of the archive."""

    def __init__(self, ctx: Context, archive: Archive) -> None:
        self.site = next(site for site in ctx.step_of(archive).logins if site.id == archive.login)
        self.asked = False
        self.md5 = ""
        """Of the archive, as the site says today; empty where it was not asked, or its answer could not be read."""
        self._ctx, self._archive = ctx, archive

    @property
    def location(self) -> Location:
        return Location(self.site.origin + self._archive.login_path, login=self)

    def __call__(self, client: HttpClient) -> None:
        """Log in with the stored credentials; raises Waiting for them
        where they are refused, and does not use them again.
        """
        step, ctx = self._ctx.step_of(self._archive), self._ctx
        username, password = ctx.secret(step.id, "username"), ctx.secret(step.id, "password")
        if username is None or password is None:
            raise Waiting(
                f"{self.site.name} asks for a login.", f"Fill in {step.form}.", step.id, ("username", "password")
            )
        try:
            log_in(client, self.site, username, password)
        except WrongCredentials as wrong:
            # The password is what is wanted anew, even where the user name was wrong:
            # one that is corrected first must not set off another try with the old password.
            ctx.refuse(step.id, wrong.what, {"password": password})
            do = f"{wrong.do} Then enter them in {step.form}; until then the stored ones are kept and not used."
            if where := ctx.vault.variables(step.id, ("username", "password")):
                do += f" These came from the environment: {', '.join(where)}."
            raise Waiting(wrong.what, do, step.id, ("password",)) from None
        if self.site.sums and not self.asked:
            self.asked, self.md5 = True, published_md5(client, self.site, self._archive.login_path, self._archive.file)
